package dsapi

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
)

// Headers that carry a credential. Unlike a cookie, a browser never adds them by
// itself, so a call with one of them cannot be forged by another site.
const (
	TokenHeader   = "token"
	SessionHeader = "sessionId"
)

// HasCredentialHeader reports whether the caller showed a credential by header.
func HasCredentialHeader(r *http.Request) bool {
	return r.Header.Get(TokenHeader) != "" || r.Header.Get(SessionHeader) != ""
}

// crossOrigin lets pages of any origin call us. Credentials are not allowed, so
// the browser leaves our cookie out and such a page needs a token.
func crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" {
			w.Header().Set("Access-Control-Allow-Origin", "*")
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
			w.Header().Set("Access-Control-Allow-Headers", "token, sessionId, language, Content-Type")
			w.Header().Set("Access-Control-Max-Age", "3600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guard refuses calls of other sites that would use our cookie.
func guard(next http.Handler) http.Handler {
	check := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := check.Check(r); err != nil && !HasCredentialHeader(r) {
			_ = send(r.Context(), w, http.StatusForbidden, Internal, i18n.T(r.Context(), "web.cross_origin"), nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// multipartLimit is the size of an upload that is still accepted: a file of 1 GiB and what stands around it.
const multipartLimit = 1<<30 + 1<<20

func bound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			most := int64(web.JSONLimit) // workflow definitions travel as form fields too
			if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
				most = multipartLimit
			}
			r.Body = http.MaxBytesReader(w, r.Body, most)
		}
		next.ServeHTTP(w, r)
	})
}

// stripSlash makes "/tenants/" the same address as "/tenants".
func stripSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rctx := chi.RouteContext(r.Context())
		if rctx != nil {
			path := rctx.RoutePath
			if path == "" {
				path = r.URL.Path
			}
			if trimmed := strings.TrimRight(path, "/"); trimmed != "" {
				rctx.RoutePath = trimmed
			}
		}
		next.ServeHTTP(w, r)
	})
}

// language takes the language from the cookie or header of that name. English is
// the default whatever the browser prefers, because scripts read these messages.
func language(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chosen := ""
		if c, err := r.Cookie("language"); err == nil {
			chosen = c.Value
		}
		l := i18n.Match(chosen, r.Header.Get("language"), "")
		next.ServeHTTP(w, r.WithContext(i18n.WithLocale(r.Context(), l)))
	})
}
