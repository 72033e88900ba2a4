package web_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/app/kit/web/webtest"
)

// page is a component with one part called list.
func page(items ...string) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		if _, err := io.WriteString(w, "<html><body><nav>shell</nav>"); err != nil {
			return err
		}
		for _, toast := range web.Toasts(ctx) {
			if _, err := fmt.Fprintf(w, "<p class=toast>%s</p>", templ.EscapeString(toast.Text(ctx))); err != nil {
				return err
			}
		}
		list := templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, `<div id="list">`+strings.Join(items, ",")+`</div>`)
			return err
		})
		if err := templ.Fragment("list").Render(templ.WithChildren(ctx, list), w); err != nil {
			return err
		}
		_, err := io.WriteString(w, "</body></html>")
		return err
	})
}

func start(t *testing.T, routes map[string]web.Handler) *webtest.Browser {
	t.Helper()
	site := webtest.Site(t)
	return webtest.Start(t, site, func(r chi.Router) {
		for address, h := range routes {
			method, path, _ := strings.Cut(address, " ")
			r.Method(method, path, site.Handle(h))
		}
	})
}

func TestAPageLoadGetsTheShellAndAPartOnlyItsFragment(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{"GET /things": func(*http.Request) (web.Response, error) { return web.Page(page("a", "b")), nil }})

	full := b.Get("/things").Require(http.StatusOK)
	require.Equal(t, "shell", full.Text("nav"))
	part := b.Part("/things", "list").Require(http.StatusOK)
	require.Equal(t, `<div id="list">a,b</div>`, part.Body)
	require.Contains(t, part.Header.Values("Vary"), "HX-Request, HX-Request-Type, HX-Target")
}

func TestAPartThatThePageLacksReplacesTheWholePage(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{"GET /things": func(*http.Request) (web.Response, error) { return web.Page(page("a")), nil }})
	got := b.Part("/things", "elsewhere").Require(http.StatusOK)
	require.Equal(t, "shell", got.Text("nav"))
	require.Equal(t, "body", got.Header.Get("HX-Retarget"))
}

func TestAMessageSurvivesTheRedirectExactlyOnce(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{
		"GET /things": func(*http.Request) (web.Response, error) { return web.Page(page()), nil },
		"POST /things": func(*http.Request) (web.Response, error) {
			return web.Redirect("/things").Toast("web.too_large", "limit", "<b>7</b>"), nil
		},
	})
	answer := b.Post("/things").Require(http.StatusSeeOther)
	require.Equal(t, "/things", answer.Header.Get("Location"))
	require.Equal(t, "That is too large: at most <b>7</b> MB can be sent at once.", b.Follow(answer).Text(".toast"))
	require.False(t, b.Get("/things").Has(".toast"))
}

func TestRedirectsOfHtmxRequestsAreHeaders(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{
		"POST /plain": func(*http.Request) (web.Response, error) { return web.Redirect("/things"), nil },
		"POST /into": func(*http.Request) (web.Response, error) {
			return web.Redirect("/things?q=中").Toast("web.not_found").Into("list"), nil
		},
	})
	require.Equal(t, "/things", b.PostPart("/plain", "dialog-body").Header.Get("HX-Redirect"))
	into := b.PostPart("/into", "list")
	require.JSONEq(t, `{"path":"/things?q=中","target":"#list","swap":"outerMorph"}`, into.Header.Get("HX-Location"))
	require.Contains(t, into.Header.Get("HX-Location"), `\u4e2d`, "header bytes are ASCII")
	require.Contains(t, into.Header.Get("HX-Trigger"), `{"toast":{"messages":[`)
}

func TestRedirectsNeverLeaveTheServer(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{"GET /go": func(r *http.Request) (web.Response, error) {
		return web.Redirect(web.Next(r, "/home")), nil
	}})
	for next, want := range map[string]string{
		"/projects?x=1":           "/projects?x=1",
		"/a/%2e%2e/b":             "/a/%2e%2e/b",
		"":                        "/home",
		"https://evil.example":    "/home",
		"//evil.example":          "/home",
		`/\evil.example`:          "/home",
		"/\t/evil.example":        "/home",
		"javascript:alert(1)":     "/home",
		"/%0d%0aSet-Cookie: a":    "/%0d%0aSet-Cookie: a",
		"evil":                    "/home",
		"http:///evil.example":    "/home",
		"/ok#frag":                "/ok#frag",
		"/\r\nLocation: //evil":   "/home",
		"/%2f%2fevil.example/../": "/home",
	} {
		got := b.Get("/go?next=" + escape(next)).Header.Get("Location")
		if next == "/%2f%2fevil.example/../" {
			require.True(t, strings.HasPrefix(got, "/") && !strings.HasPrefix(got, "//"), got)
			continue
		}
		require.Equal(t, want, got, "next=%q", next)
	}
}

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}

func TestFaultsBecomeStatusAndMessageAndCausesStayHidden(t *testing.T) {
	t.Parallel()
	cause := errors.New("pq: password authentication failed for user dorado")
	for _, c := range []struct {
		err    error
		status int
		says   string
	}{
		{fault.New(fault.NotFound, "web.not_found"), 404, "nothing at this address"},
		{fault.New(fault.Forbidden, "web.cross_origin").Because(cause), 403, "another site"},
		{fault.New(fault.Conflict, "web.method"), 409, "that kind of request"},
		{fault.New(fault.Invalid, "web.method"), 422, "that kind of request"},
		{fault.New(fault.TooMany, "web.too_many_streams"), 429, "Too many pages"},
		{fault.New(fault.Unavailable, "fault.unavailable"), 503, "not reachable"},
		{fmt.Errorf("load: %w", cause), 500, "went wrong"},
		{fault.New(fault.Internal, "fault.internal").Because(cause), 500, "went wrong"},
	} {
		b := start(t, map[string]web.Handler{"GET /x": func(*http.Request) (web.Response, error) { return nil, c.err }})
		got := b.Get("/x").Require(c.status)
		require.Contains(t, got.Body, c.says)
		require.NotContains(t, got.Body, "pq:")
		require.Contains(t, got.Body, got.Header.Get("X-Request-Id"))

		script := b.With("Accept", "application/json").Get("/x").Require(c.status)
		require.Contains(t, script.Body, c.says)
		require.NotContains(t, script.Body, "pq:")
	}
}

func TestErrorsAreLoggedOnceWithTheirCauseAndRequest(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	site, err := web.NewSite(web.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	b := webtest.Start(t, site, func(r chi.Router) {
		r.Get("/x", site.Handle(func(*http.Request) (web.Response, error) { return nil, errors.New("disk on fire") }))
	})
	got := b.Get("/x").Require(500)
	require.Equal(t, 1, strings.Count(log.String(), "disk on fire"))
	require.Contains(t, log.String(), "request_id="+got.Header.Get("X-Request-Id"))
}

func TestAPanicIsAnInternalError(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{"GET /x": func(*http.Request) (web.Response, error) { panic("secret stack") }})
	require.NotContains(t, b.Get("/x").Require(500).Body, "secret")
}

func TestNotSignedInLeadsToTheSignInPageAndBack(t *testing.T) {
	t.Parallel()
	refuse := func(*http.Request) (web.Response, error) { return nil, fault.New(fault.Unauthenticated, "web.method") }
	b := start(t, map[string]web.Handler{"GET /x": refuse, "POST /x": refuse})
	require.Equal(t, "/login?next=%2Fx%3Fq%3Da%26b%3D1", b.Get("/x?q=a&b=1").Require(303).Header.Get("Location"))
	require.Equal(t, "/login", b.Post("/x").Require(303).Header.Get("Location"))

	part := b.PostPart("/x", "list").Require(401)
	require.Contains(t, part.Header.Get("HX-Trigger"), `{"sign-in":{"url":"/login`)
	require.Equal(t, "none", part.Header.Get("HX-Reswap"), "the page keeps what was typed")
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	called := false
	b := start(t, map[string]web.Handler{"POST /x": func(*http.Request) (web.Response, error) { called = true; return web.NoContent(), nil }})
	b.With("Sec-Fetch-Site", "cross-site").With("Origin", "https://evil.example").Post("/x").Require(403)
	b.With("Origin", "https://evil.example").With("Sec-Fetch-Site", "").Post("/x").Require(403)
	require.False(t, called)
	b.Post("/x").Require(204)
}

func TestTooLargeFormsAreRefusedWithTheLimit(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{"POST /x": func(r *http.Request) (web.Response, error) {
		f := web.ReadForm(r)
		return web.NoContent(), f.Err()
	}})
	require.Contains(t, b.Post("/x", "script", strings.Repeat("x", web.FormLimit)).Require(413).Body, "5 MB")
	b.Post("/x", "script", strings.Repeat("x", 1000)).Require(204)
}

func TestAFormRemembersWhatWasWrongInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	var f *web.Form
	b := start(t, map[string]web.Handler{"POST /x": func(r *http.Request) (web.Response, error) {
		f = web.ReadForm(r)
		require.Equal(t, int64(0), f.Int64("size"))
		require.Equal(t, "a\nb", f.Raw("script"))
		require.Equal(t, "etl", f.Text("code"))
		require.True(t, f.Bool("on"))
		require.Equal(t, []string{"1", "2"}, f.List("ids"))
		var c fault.Collector
		c.Add("code", "web.too_large", "limit", 3)
		require.True(t, f.Rejects(c.Err()))
		return f.Again(page()), nil
	}})
	b.In("zh-CN").Post("/x", "size", "12 apples", "script", "a\r\nb", "code", " e\x00tl ", "on", "on", "ids", "1", "ids", "2").Require(422)
	require.Equal(t, "请输入整数。", f.Error("size"))
	require.Contains(t, f.Error("code"), "3 MB")
	require.Empty(t, f.Error("script"))
	require.Empty(t, (*web.Form)(nil).Error("code"), "a form shown for the first time has no errors")
}

func TestAConflictShowsTheFormAgainWith409(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{"POST /x": func(r *http.Request) (web.Response, error) {
		f := web.ReadForm(r)
		require.False(t, f.Rejects(errors.New("database gone")), "other errors are not the form's")
		require.True(t, f.Rejects(fault.New(fault.Conflict, "web.method")))
		require.NotEmpty(t, f.Notice())
		return f.Again(page()), nil
	}})
	b.Post("/x").Require(409)
}

func TestLanguageComesFromTheViewerThenTheCookieThenTheBrowser(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{"GET /x": func(r *http.Request) (web.Response, error) {
		return web.JSON(200, i18n.FromContext(r.Context()).Tag()+" "+i18n.Zone(r.Context()).String()), nil
	}})
	require.Equal(t, `"en UTC"`, b.Get("/x").Body)
	require.Equal(t, `"zh-CN UTC"`, b.In("zh-CN,en;q=0.5").Get("/x").Body)
	require.Equal(t, `"zh-CN Asia/Shanghai"`, b.With("Cookie", "language=zh_CN; zone=Asia/Shanghai").Get("/x").Body)
	viewer := b.As(func(ctx context.Context) context.Context {
		return web.WithViewer(ctx, web.Viewer{Locale: "en", Zone: "Europe/Paris"})
	})
	require.Equal(t, `"en Europe/Paris"`, viewer.With("Cookie", "language=zh_CN; zone=Local").Get("/x").Body)
}

func TestPagesMayRunOnlyOurScripts(t *testing.T) {
	t.Parallel()
	nonce := ""
	b := start(t, map[string]web.Handler{"GET /x": func(r *http.Request) (web.Response, error) {
		nonce = templ.GetNonce(r.Context())
		return web.NoContent(), nil
	}})
	h := b.Get("/x").Header
	csp := h.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'self'", "script-src 'self' 'nonce-" + nonce + "'", "frame-ancestors 'self'", "base-uri 'none'", "form-action 'self'"} {
		require.Contains(t, csp, want)
	}
	require.NotContains(t, csp, "unsafe")
	require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	first := nonce
	b.Get("/x")
	require.NotEqual(t, first, nonce, "a nonce is used once")
}

func TestTheClientAddressIsBelievedOnlyFromTrustedProxies(t *testing.T) {
	t.Parallel()
	ask := func(trusted []string, peer, forwarded string) string {
		site, err := web.NewSite(web.Options{Config: web.Config{TrustedProxies: trusted}})
		require.NoError(t, err)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = peer + ":4711"
		r.Header.Set("X-Forwarded-For", forwarded)
		got := ""
		site.Middleware()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got = web.ClientAddress(r.Context())
		})).ServeHTTP(httptest.NewRecorder(), r)
		return got
	}
	require.Equal(t, "203.0.113.9", ask(nil, "203.0.113.9", "1.2.3.4"))
	require.Equal(t, "198.51.100.7", ask([]string{"10.0.0.0/8"}, "10.1.1.1", "6.6.6.6, 198.51.100.7, 10.2.2.2"))
	require.Equal(t, "10.1.1.1", ask([]string{"10.0.0.0/8"}, "10.1.1.1", "garbage"))
	_, err := web.NewSite(web.Options{Config: web.Config{TrustedProxies: []string{"proxy.local"}}})
	require.ErrorContains(t, err, "proxy.local")
}

func TestEventsAreSentAsTheyHappenAndEndWithTheServer(t *testing.T) {
	t.Parallel()
	closing, shutdown := context.WithCancel(t.Context())
	site, err := web.NewSite(web.Options{Closing: closing})
	require.NoError(t, err)
	ended := make(chan struct{})
	srv := httptest.NewServer(site.Middleware()(site.Handle(func(*http.Request) (web.Response, error) {
		return web.Events(func(ctx context.Context, out *web.Stream) error {
			defer close(ended)
			require.NoError(t, out.Send("8", "dag-states", []byte("resume after "+out.LastID()+"\nsecond line")))
			<-ctx.Done()
			return nil
		}), nil
	})))
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Last-Event-ID", "7")
	res, err := srv.Client().Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, "text/event-stream; charset=utf-8", res.Header.Get("Content-Type"))

	in := bufio.NewScanner(res.Body)
	var lines []string
	for len(lines) < 6 && in.Scan() {
		lines = append(lines, in.Text())
	}
	require.Equal(t, []string{": open", "", "id: 8", "event: dag-states", "data: resume after 7", "data: second line"}, lines)

	shutdown()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the stream did not end with the server")
	}
}

func TestOnePersonCannotHoldEndlesslyManyStreams(t *testing.T) {
	t.Parallel()
	closing, shutdown := context.WithCancel(t.Context())
	site, err := web.NewSite(web.Options{Closing: closing})
	require.NoError(t, err)
	srv := httptest.NewServer(site.Middleware()(site.Handle(func(*http.Request) (web.Response, error) {
		return web.Events(func(ctx context.Context, _ *web.Stream) error { <-ctx.Done(); return nil }), nil
	})))
	defer srv.Close()
	defer shutdown()
	status := http.StatusOK
	for range 65 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		require.NoError(t, err)
		res, err := srv.Client().Do(req)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		status = res.StatusCode
	}
	require.Equal(t, http.StatusTooManyRequests, status)
}

func TestTextIsCompressed(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{"GET /x": func(*http.Request) (web.Response, error) { return web.Page(page(strings.Repeat("a", 5000))), nil }})
	got := b.With("Accept-Encoding", "gzip").Get("/x")
	require.Equal(t, "gzip", got.Header.Get("Content-Encoding"))
	require.Less(t, len(got.Body), 1000)
}

func TestAShortAnswerIsNotCompressed(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{"GET /x": func(*http.Request) (web.Response, error) { return web.JSON(200, "short"), nil }})
	got := b.With("Accept-Encoding", "gzip").Get("/x").Require(200)
	require.Empty(t, got.Header.Get("Content-Encoding"))
	require.Contains(t, got.Header.Values("Vary"), "Accept-Encoding")
	require.Contains(t, got.Body, "short")
}

func TestFilesAreSavedNotShown(t *testing.T) {
	t.Parallel()
	b := start(t, map[string]web.Handler{"GET /x": func(*http.Request) (web.Response, error) {
		return web.File(`日志 "x".html`, time.Time{}, strings.NewReader("<script>")), nil
	}})
	got := b.Get("/x").Require(200)
	require.Equal(t, "application/octet-stream", got.Header.Get("Content-Type"))
	require.True(t, strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment;"), got.Header.Get("Content-Disposition"))
}

func TestAResourceMountsOnlyThePagesItHas(t *testing.T) {
	t.Parallel()
	site := webtest.Site(t)
	say := func(what string) web.Handler {
		return func(r *http.Request) (web.Response, error) {
			if chi.URLParam(r, "id") == "" {
				return web.JSON(200, what), nil
			}
			id, err := web.ID(r)
			if err != nil {
				return nil, err
			}
			return web.JSON(200, fmt.Sprintf("%s %d", what, id)), nil
		}
	}
	b := webtest.Start(t, site, func(r chi.Router) {
		web.Resource{Path: "/things", Index: say("index"), Edit: say("edit"), Update: say("update"), Delete: say("delete")}.Mount(r, site)
	})
	require.Equal(t, `"index"`, b.Get("/things").Body)
	require.Equal(t, `"edit 7"`, b.Get("/things/7/edit").Body)
	require.Equal(t, `"update 7"`, b.Post("/things/7").Body)
	require.Equal(t, `"delete 7"`, b.Post("/things/7/delete").Body)
	b.Get("/things/new").Require(405)
	b.Get("/things/seven/edit").Require(404)
	b.Get("/things/99999999999999999999/edit").Require(404)
	b.Get("/nothing").Require(404)
}
