package browser_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness/browser"
)

const page = `<!doctype html><html lang="en"><head><title>t</title><style>body{background:white}
@media (prefers-color-scheme: dark){body{background:black}}</style></head><body><main><h1>Hello</h1>
<label>Name <input id="name" value="old"></label> <button type="button" aria-label="Send it">→</button>
<div id="pad" style="position:absolute;left:100px;top:200px;width:400px;height:200px"></div><p id="out"></p></main>
<script>
document.querySelector('button').onclick = () => { out.textContent = 'sent ' + document.getElementById('name').value; };
let from;
pad.onpointerdown = (e) => { from = [e.clientX, e.clientY]; pad.setPointerCapture(e.pointerId); };
pad.onpointerup = (e) => { out.textContent = 'dragged ' + from + ' to ' + [e.clientX, e.clientY]; };
</script></body></html>`

func TestATabActsLikeAPerson(t *testing.T) {
	t.Parallel()
	b, err := browser.Open(t.Context())
	if errors.Is(err, browser.ErrNoBrowser) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	var languages []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			languages = append(languages, r.Header.Get("Accept-Language"))
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(server.Close)

	tab := b.Tab(t, server.URL, browser.Look{Language: "zh", Dark: true})
	tab.Goto("/")
	require.True(t, strings.HasPrefix(languages[0], "zh-CN"), languages)
	require.Equal(t, "rgb(0, 0, 0)", browser.Eval[string](tab, "getComputedStyle(document.body).backgroundColor"))
	tab.Fill("#name", "new 名")
	tab.Click("button", "Send")
	tab.WaitText("#out", "sent new 名")
	require.Equal(t, "sent new 名", tab.Text("#out"))
	tab.Drag(120, 220, 320, 300)
	tab.WaitText("#out", "dragged 120,220 to 320,300")
	require.False(t, tab.Has("button", "Delete"))
	require.Equal(t, "/", tab.Path())
}
