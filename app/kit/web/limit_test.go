package web_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/web"
)

func TestALimitIsForEachCallerAndComesBackWithTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := web.NewLimiter(3, time.Minute, time.Now)
		for range 3 {
			require.Zero(t, l.Take("gwen"))
		}
		require.Equal(t, 20*time.Second, l.Take("gwen").Round(time.Second))
		require.Zero(t, l.Take("erin"), "another caller has her own")
		time.Sleep(19 * time.Second)
		require.NotZero(t, l.Take("gwen"))
		time.Sleep(time.Second)
		require.Zero(t, l.Take("gwen"))
		require.NotZero(t, l.Take("gwen"), "waiting gives one back, not all")
		time.Sleep(time.Hour)
		for range 3 {
			require.Zero(t, l.Take("gwen"))
		}
		require.NotZero(t, l.Take("gwen"), "quiet hours are not saved up")
	})
}

func TestWithoutALimitEverythingPasses(t *testing.T) {
	t.Parallel()
	l := web.NewLimiter(0, time.Second, time.Now)
	for range 1000 {
		require.Zero(t, l.Take("gwen"))
	}
}

func TestALimiterForgetsWhoWasQuietLongest(t *testing.T) {
	t.Parallel()
	l := web.NewLimiter(1, time.Hour, time.Now)
	require.Zero(t, l.Take("first"))
	require.Zero(t, l.Take("second"))
	for i := range 9_998 {
		require.Zero(t, l.Take(strconv.Itoa(i)))
	}
	require.NotZero(t, l.Take("first"), "ten thousand callers are remembered")
	require.Zero(t, l.Take("one more"))
	require.NotZero(t, l.Take("first"), "who called lately is remembered")
	require.Zero(t, l.Take("second"), "who was quiet longest is not")
}

func TestANetworkOfIPv6IsOneCaller(t *testing.T) {
	t.Parallel()
	require.Equal(t, web.AddressKey("2001:db8:1:2::1"), web.AddressKey("2001:db8:1:2:ffff::9"))
	require.NotEqual(t, web.AddressKey("2001:db8:1:2::1"), web.AddressKey("2001:db8:1:3::1"))
	require.Equal(t, "10.0.0.1", web.AddressKey("::ffff:10.0.0.1"))
	require.NotEqual(t, web.AddressKey("10.0.0.1"), web.AddressKey("10.0.0.2"))
	require.Equal(t, "somewhere", web.AddressKey("somewhere"))
}

func TestWhoIsHeldBackLearnsHowLong(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	web.SlowDown(rec, 1500*time.Millisecond)
	require.Equal(t, "2", rec.Header().Get("Retry-After"))
	web.SlowDown(rec, time.Nanosecond)
	require.Equal(t, "1", rec.Header().Get("Retry-After"))
}

func TestALimitIsNotNegative(t *testing.T) {
	t.Parallel()
	require.NoError(t, web.DefaultLimits().Validate())
	require.ErrorContains(t, web.LimitConfig{Token: -1}.Validate(), "web.limit.token")
	require.ErrorContains(t, web.Config{Limit: web.LimitConfig{SignIn: -1}}.Validate(), "web.limit.sign-in")
}

func TestPagesMayLoadNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	site, err := web.NewSite(web.Options{})
	require.NoError(t, err)
	h := site.Middleware()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "http://dorado.test/", nil))
	csp := rec.Header().Get("Content-Security-Policy")
	require.NotContains(t, csp, "unsafe")
	for _, part := range []string{"default-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'self'"} {
		require.Contains(t, csp, part)
	}
	for name, value := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	} {
		require.Equal(t, value, rec.Header().Get(name), name)
	}
	require.Contains(t, rec.Header().Get("Permissions-Policy"), "camera=()")
	require.Empty(t, rec.Header().Get("Strict-Transport-Security"), "without TLS it would lock people out")

	secure := httptest.NewRequest(http.MethodGet, "https://dorado.test/", nil)
	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, secure)
	require.NotEmpty(t, rec.Header().Get("Strict-Transport-Security"))
}
