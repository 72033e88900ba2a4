package login_test

import (
	"bytes"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/stretchr/testify/require"

	"dorado/views/layout"
	"dorado/views/login"
)

func page(t *testing.T, p login.Props) *goquery.Document {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, login.Page(p).Render(t.Context(), &b))
	doc, err := goquery.NewDocumentFromReader(&b)
	require.NoError(t, err)
	return doc
}

func TestAFailedSignInKeepsTheNameAndSaysWhy(t *testing.T) {
	t.Parallel()
	doc := page(t, login.Props{Bare: layout.BareProps{Title: "Sign in"}, Action: "/login", Next: "/projects?q=1", Username: "mei", Error: "Wrong"})
	require.Contains(t, doc.Find("[role=alert]").Text(), "Wrong")
	require.Equal(t, "mei", doc.Find("[name=username]").AttrOr("value", ""))
	require.Empty(t, doc.Find("[name=password]").AttrOr("value", ""))
	require.Equal(t, "/projects?q=1", doc.Find("[name=next]").AttrOr("value", ""))
	_, focused := doc.Find("[name=password]").Attr("autofocus")
	require.True(t, focused, "the name is there, the password is what is missing")
}

func TestPasswordManagersFindTheirFields(t *testing.T) {
	t.Parallel()
	doc := page(t, login.Props{Action: "/login"})
	require.Equal(t, "username", doc.Find("[name=username]").AttrOr("autocomplete", ""))
	require.Equal(t, "current-password", doc.Find("[name=password]").AttrOr("autocomplete", ""))
	require.Equal(t, "post", doc.Find("form[action='/login']").AttrOr("method", ""))
}

func TestOtherWaysToSignInAreOffered(t *testing.T) {
	t.Parallel()
	doc := page(t, login.Props{Action: "/login", Providers: []login.Provider{{Label: "Keycloak", URL: "/login/oauth2/keycloak"}}})
	require.Contains(t, doc.Find(`a[href="/login/oauth2/keycloak"]`).Text(), "Continue with Keycloak")
}
