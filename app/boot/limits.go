package boot

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"time"

	"dorado/app/kit/fault"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/frame"
)

// errTooMany is the fault of a page that somebody asks for too often.
var errTooMany = fault.New(fault.TooMany, "web.too_many")

// limits hold back who asks for too much.
type limits struct {
	all, token, signIn, expensive *web.Limiter
	fail                          func(http.ResponseWriter, *http.Request, error)
}

func newLimits(c web.LimitConfig, now func() time.Time, fail func(http.ResponseWriter, *http.Request, error)) *limits {
	return &limits{
		all: web.NewLimiter(c.Requests, time.Second, now), token: web.NewLimiter(c.Token, time.Second, now),
		signIn: web.NewLimiter(c.SignIn, time.Minute, now), expensive: web.NewLimiter(c.Expensive, time.Minute, now),
		fail: fail,
	}
}

// rest holds back calls of REST, as DolphinScheduler does: HTTP 429 with an empty body.
func (l *limits) rest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := web.AddressKey(web.ClientAddress(r.Context()))
		wait := l.all.Take("")
		if wait == 0 && l.token != nil {
			wait = l.token.Take(caller(r, client))
		}
		if wait == 0 {
			switch cost(r.Method, strings.TrimRight(dsapi.Today(strings.TrimPrefix(r.URL.Path, apiPath)), "/")) {
			case costly:
				wait = l.expensive.Take(client)
			case signingIn:
				wait = l.signIn.Take(client)
			case cheap:
			}
		}
		if wait > 0 {
			web.SlowDown(w, wait)
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// pages holds back attempts to sign in by the pages.
func (l *limits) pages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && (r.URL.Path == frame.LoginPath || strings.HasPrefix(r.URL.Path, frame.LoginPath+"/")) {
			if wait := l.signIn.Take(web.AddressKey(web.ClientAddress(r.Context()))); wait > 0 {
				web.SlowDown(w, wait)
				l.fail(w, r, errTooMany)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// caller tells callers of REST apart: by token, by session, or by address. Secrets are kept as hashes.
func caller(r *http.Request, client string) string {
	secret := r.Header.Get(dsapi.TokenHeader)
	if secret == "" {
		secret = r.Header.Get(dsapi.SessionHeader)
	}
	if secret == "" {
		if c, err := r.Cookie("sessionId"); err == nil {
			secret = c.Value
		}
	}
	if secret == "" {
		return client
	}
	sum := sha256.Sum256([]byte(secret))
	return string(sum[:16])
}

// price is how much a call costs us.
type price int

const (
	cheap     price = iota
	signingIn       // hashes a password
	costly          // reads a file, or asks somebody else
)

// cost is the price of a call. path has today's words and no slash at its end.
func cost(method, path string) price {
	switch {
	case method == http.MethodPost && (path == "/login" || path == "/users/register"), path == "/redirect/login/oauth2":
		return signingIn
	case strings.HasSuffix(path, "/workflow-definition/import"), strings.HasSuffix(path, "/workflow-definition/batch-export"),
		strings.HasSuffix(path, "/connect-test"), path == "/datasources/connect", path == "/datasources/tables",
		path == "/datasources/tableColumns", path == "/datasources/databases", path == "/alert-plugin-instances/test-send":
		return costly
	default:
		return cheap
	}
}

// restHeaders are for answers that no browser shows: they may load nothing and be part of no page.
func restHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox")
		next.ServeHTTP(w, r)
	})
}
