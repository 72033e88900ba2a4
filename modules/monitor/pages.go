package monitor

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/views/components"
	view "dorado/views/monitor"
)

// liveEvery is how often an open page is looked after: what happens is seen within two seconds.
const liveEvery = 1500 * time.Millisecond

type pages struct {
	*Service
	frame *frame.Frame
	site  *web.Site
}

// shown is a page with its living part.
type shown struct {
	whole templ.Component
	notes []view.Note
	body  templ.Component
}

// shower makes a page for a request. It is asked again and again while somebody looks at the page.
type shower func(r *http.Request) (shown, error)

// page answers with the whole page.
func (p pages) page(show shower) web.Handler {
	return func(r *http.Request) (web.Response, error) {
		v, err := show(r)
		if err != nil {
			return nil, err
		}
		return web.Page(v.whole), nil
	}
}

// stream sends the living part of a page whenever it changed.
func (p pages) stream(show shower) web.Handler {
	return func(r *http.Request) (web.Response, error) {
		if _, err := show(r); err != nil { // who may not is told so at once
			return nil, err
		}
		return web.Events(func(ctx context.Context, out *web.Stream) error {
			r := r.WithContext(ctx)
			var last []byte
			tick := time.NewTicker(liveEvery)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
				}
				v, err := show(r)
				if err != nil {
					return err
				}
				var b bytes.Buffer
				if err := view.Partial(v.notes, v.body).Render(ctx, &b); err != nil {
					return err
				}
				if bytes.Equal(b.Bytes(), last) {
					continue
				}
				if err := out.Send("", "", b.Bytes()); err != nil {
					return nil // the browser has gone
				}
				last = b.Bytes()
			}
		}), nil
	}
}

// shell is what all pages have. The stream of a page is asked what the page was asked.
func (p pages) shell(r *http.Request, path, keys string) view.Frame {
	ctx := r.Context()
	title := i18n.T(ctx, keys+"title")
	live := path + "/live"
	if r.URL.RawQuery != "" {
		live += "?" + r.URL.RawQuery
	}
	return view.Frame{Shell: p.frame.Page(r, title), Title: title, Text: i18n.T(ctx, keys+"text"), LiveURL: live}
}

// withQuery is a path with the pairs that have a value.
func withQuery(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func options(first string, values []string) []components.Option {
	out := []components.Option{{Label: first}}
	for _, v := range values {
		out = append(out, components.Option{Value: v, Label: v})
	}
	return out
}
