package web

import (
	"net/http"
	"time"
)

// SessionCookie is the cookie that holds a session's secret. Pages and REST
// clients share it, therefore it has the name that REST clients know.
const SessionCookie = "sessionId"

// SetSession gives the browser the secret of a session until expires.
func SetSession(w http.ResponseWriter, r *http.Request, secret string, expires time.Time) {
	http.SetCookie(w, cookie(r, SessionCookie, secret, time.Until(expires)))
}

// ClearSession takes the session's secret away from the browser.
func ClearSession(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, cookie(r, SessionCookie, "", -1))
}

// SessionSecret returns the secret the browser sent, or an empty string.
func SessionSecret(r *http.Request) string {
	c, err := r.Cookie(SessionCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// cookie makes a cookie that scripts cannot read and other sites cannot send
// along with a form. A negative life removes it.
func cookie(r *http.Request, name, value string, life time.Duration) *http.Cookie {
	age := int(life / time.Second)
	if life < 0 {
		age = -1
	}
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: Secure(r), SameSite: http.SameSiteLaxMode,
	}
}
