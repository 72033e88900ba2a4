package web

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"dorado/app/kit/i18n"
)

// Toast is a short message about what was just done.
type Toast struct {
	Key  string   `json:"k"`
	Args []string `json:"a,omitempty"`
}

// Text is the message in the language of ctx.
func (t Toast) Text(ctx context.Context) string {
	args := make([]any, len(t.Args))
	for i, a := range t.Args {
		args[i] = a
	}
	return i18n.T(ctx, t.Key, args...)
}

func newToast(key string, args []any) Toast {
	t := Toast{Key: key}
	for _, a := range args {
		t.Args = append(t.Args, fmt.Sprint(a))
	}
	return t
}

type toastsKey struct{}

// Toasts is what a page has to say about what was done just before.
func Toasts(ctx context.Context) []Toast {
	t, _ := ctx.Value(toastsKey{}).([]Toast)
	return t
}

// say raises the event that the page turns into a message.
func say(w http.ResponseWriter, r *http.Request, toasts []Toast) {
	if len(toasts) == 0 {
		return
	}
	texts := make([]string, len(toasts))
	for i, t := range toasts {
		texts[i] = t.Text(r.Context())
	}
	announce(w, texts)
}

// A toast that must survive a redirect travels in a cookie to the next page. It
// holds a message key and words, which the page escapes like any other text.
const flashCookie = "flash"

func putFlash(w http.ResponseWriter, r *http.Request, toasts []Toast) {
	if len(toasts) == 0 {
		return
	}
	value, err := json.Marshal(toasts)
	if err != nil || len(value) > 2048 {
		return
	}
	http.SetCookie(w, cookie(r, flashCookie, base64.RawURLEncoding.EncodeToString(value), time.Minute))
}

// flash reads the cookie into the context, where Toasts finds it. The cookie goes
// once a whole page was sent.
func flash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if toasts := flashed(r); len(toasts) > 0 {
			r = r.WithContext(context.WithValue(r.Context(), toastsKey{}, toasts))
		}
		next.ServeHTTP(w, r)
	})
}

func dropFlash(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(flashCookie); err == nil {
		http.SetCookie(w, cookie(r, flashCookie, "", -1))
	}
}

func flashed(r *http.Request) []Toast {
	value, err := base64.RawURLEncoding.DecodeString(cookieValue(r, flashCookie))
	if err != nil || len(value) == 0 {
		return nil
	}
	var toasts []Toast
	if json.Unmarshal(value, &toasts) != nil || len(toasts) > 4 {
		return nil
	}
	known := toasts[:0]
	for _, t := range toasts {
		if i18n.Has(t.Key) {
			known = append(known, t)
		}
	}
	return known
}
