package boot

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/web"
)

// limited is the limits in front of something that answers everything, and how to call it.
func limited(t *testing.T, c web.LimitConfig) func(method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	site, err := web.NewSite(web.Options{})
	require.NoError(t, err)
	now := time.Now()
	l := newLimits(c, func() time.Time { return now }, site.Fail)
	through := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("through")) })
	h := site.Middleware()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, apiPath) {
			l.rest(through).ServeHTTP(w, r)
			return
		}
		l.pages(through).ServeHTTP(w, r)
	}))
	return func(method, path string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "http://dorado.test"+path, nil)
		r.RemoteAddr = "192.0.2.1:1234"
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		if at := r.Header.Get("From"); at != "" {
			r.RemoteAddr = at + ":1234"
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
}

// heldBack requires an answer as DolphinScheduler's traffic control gives it.
func heldBack(t *testing.T, rec *httptest.ResponseRecorder) {
	t.Helper()
	require.Equal(t, http.StatusTooManyRequests, rec.Code)
	require.Empty(t, rec.Body.String())
	require.NotEmpty(t, rec.Header().Get("Retry-After"))
}

func TestEachTokenHasItsShareOfCalls(t *testing.T) {
	t.Parallel()
	call := limited(t, web.LimitConfig{Token: 2})
	for range 2 {
		require.Equal(t, http.StatusOK, call("GET", apiPath+"/projects", "token", "a").Code)
	}
	heldBack(t, call("GET", apiPath+"/projects", "token", "a"))
	require.Equal(t, http.StatusOK, call("GET", apiPath+"/projects", "token", "b").Code)
	require.Equal(t, http.StatusOK, call("GET", apiPath+"/projects", "sessionId", "c").Code)
	require.Equal(t, http.StatusOK, call("GET", "/projects", "token", "a").Code, "pages are not counted")
}

func TestAllCallersShareTheLimitOfTheServer(t *testing.T) {
	t.Parallel()
	call := limited(t, web.LimitConfig{Requests: 2})
	require.Equal(t, http.StatusOK, call("GET", apiPath+"/projects", "token", "a").Code)
	require.Equal(t, http.StatusOK, call("GET", apiPath+"/projects", "token", "b").Code)
	heldBack(t, call("GET", apiPath+"/projects", "token", "c"))
}

func TestSigningInIsLimitedForEachAddress(t *testing.T) {
	t.Parallel()
	call := limited(t, web.LimitConfig{SignIn: 2})
	require.Equal(t, http.StatusOK, call("POST", apiPath+"/login").Code)
	require.Equal(t, http.StatusOK, call("POST", "/login").Code)
	heldBack(t, call("POST", apiPath+"/login/"))
	page := call("POST", "/login")
	require.Equal(t, http.StatusTooManyRequests, page.Code)
	require.NotEmpty(t, page.Header().Get("Retry-After"))
	require.NotEmpty(t, page.Body.String(), "people are told")
	require.Equal(t, http.StatusOK, call("POST", apiPath+"/login", "From", "192.0.2.2").Code)
	require.Equal(t, http.StatusOK, call("GET", apiPath+"/projects").Code)
	require.Equal(t, http.StatusOK, call("GET", "/login").Code)
	heldBack(t, call("POST", apiPath+"/login", "X-Forwarded-For", "192.0.2.9")) // nobody trusts that header
}

func TestWhatCostsMuchIsLimitedUnderBothNames(t *testing.T) {
	t.Parallel()
	call := limited(t, web.LimitConfig{Expensive: 2})
	require.Equal(t, http.StatusOK, call("POST", apiPath+"/projects/1/workflow-definition/import").Code)
	require.Equal(t, http.StatusOK, call("POST", apiPath+"/projects/1/process-definition/batch-export").Code)
	heldBack(t, call("POST", apiPath+"/projects/2/process-definition/import"))
	heldBack(t, call("GET", apiPath+"/datasources/1/connect-test"))
	require.Equal(t, http.StatusOK, call("GET", apiPath+"/datasources/1").Code)
}
