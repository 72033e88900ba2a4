package errors_test

import (
	"bytes"
	"testing"

	"github.com/a-h/templ"
	"github.com/stretchr/testify/require"

	"dorado/views/errors"
)

func html(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, c.Render(t.Context(), &b))
	return b.String()
}

func TestEveryStatusHasWordsAndTheRequestID(t *testing.T) {
	t.Parallel()
	for status, words := range map[int]string{
		403: "You may not see this", 404: "Nothing is here", 410: "Nothing is here", 409: "Somebody else was faster",
		422: "cannot be served", 429: "Not available right now", 500: "Something went wrong", 502: "Something went wrong", 503: "Not available right now",
	} {
		page := html(t, errors.Page(errors.Props{Status: status, RequestID: "01JD"}))
		require.Contains(t, page, words, status)
		require.Contains(t, page, "01JD", status)
		require.NotContains(t, page, "error.title", status)
	}
}

func TestARefusalNamesTheMissingGrantAndItsGiver(t *testing.T) {
	t.Parallel()
	page := html(t, errors.Page(errors.Props{Status: 403, Grant: "workflow:edit", Owner: "mei"}))
	require.Contains(t, page, "Missing: workflow:edit. mei can grant it.")
}

func TestANoticeIsOnlyAPart(t *testing.T) {
	t.Parallel()
	notice := html(t, errors.Notice(errors.Props{Status: 500, Message: "<b>x</b>", RequestID: "01JD", RetryURL: "/again"}))
	require.NotContains(t, notice, "<html")
	require.Contains(t, notice, "&lt;b&gt;x&lt;/b&gt;")
	require.Contains(t, notice, `role="alert"`)
	require.Contains(t, notice, `href="/again"`)
}
