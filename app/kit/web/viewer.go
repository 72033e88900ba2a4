package web

import (
	"context"
	"net/http"
	"time"

	"dorado/app/kit/i18n"
)

// Viewer is the signed-in person as pages need them: how to address them and how
// they like pages to look. It decides nothing; permissions are checked in services.
type Viewer struct {
	ID       int64
	Name     string
	Admin    bool
	Locale   string // saved language, empty when never chosen
	Zone     string // saved IANA zone, empty when never chosen
	Theme    string // light, dark or empty for the system's
	PageSize int
}

type viewerKey struct{}

// WithViewer returns a context in which v looks at the page, in v's language and zone.
func WithViewer(ctx context.Context, v Viewer) context.Context {
	ctx = context.WithValue(ctx, viewerKey{}, v)
	if l, ok := i18n.Parse(v.Locale); ok {
		ctx = i18n.WithLocale(ctx, l)
	}
	if z, ok := zone(v.Zone); ok {
		ctx = i18n.WithZone(ctx, z)
	}
	return ctx
}

// ViewerFrom returns who looks at the page, and false before signing in.
func ViewerFrom(ctx context.Context) (Viewer, bool) {
	v, ok := ctx.Value(viewerKey{}).(Viewer)
	return v, ok
}

// Cookies that carry a choice made before signing in, and let the first paint be
// right. The language cookie has the name and the values of DolphinScheduler.
const (
	languageCookie = "language"
	themeCookie    = "theme"
	zoneCookie     = "zone"
)

// Themes a page can have; the empty one follows the system.
const (
	ThemeSystem = ""
	ThemeLight  = "light"
	ThemeDark   = "dark"
)

// Theme is the theme the page is shown in: the viewer's, else the cookie's.
func Theme(r *http.Request) string {
	if v, ok := ViewerFrom(r.Context()); ok && ValidTheme(v.Theme) && v.Theme != ThemeSystem {
		return v.Theme
	}
	if c, err := r.Cookie(themeCookie); err == nil && ValidTheme(c.Value) {
		return c.Value
	}
	return ThemeSystem
}

// ValidTheme reports whether theme is one of the three.
func ValidTheme(theme string) bool {
	return theme == ThemeSystem || theme == ThemeLight || theme == ThemeDark
}

// RememberTheme keeps theme in the browser.
func RememberTheme(w http.ResponseWriter, r *http.Request, theme string) {
	http.SetCookie(w, cookie(r, themeCookie, theme, preferenceLife))
}

// RememberLocale keeps the language in the browser.
func RememberLocale(w http.ResponseWriter, r *http.Request, l i18n.Locale) {
	value := "en_US"
	if l == i18n.Chinese {
		value = "zh_CN"
	}
	http.SetCookie(w, cookie(r, languageCookie, value, preferenceLife))
}

// RememberZone keeps the time zone in the browser.
func RememberZone(w http.ResponseWriter, r *http.Request, name string) {
	http.SetCookie(w, cookie(r, zoneCookie, name, preferenceLife))
}

const preferenceLife = 365 * 24 * time.Hour

// localize puts the language and zone of the browser into the context. Signing in
// puts the saved ones over them.
func localize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := i18n.WithLocale(r.Context(), i18n.Match("", cookieValue(r, languageCookie), r.Header.Get("Accept-Language")))
		if z, ok := zone(cookieValue(r, zoneCookie)); ok {
			ctx = i18n.WithZone(ctx, z)
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func cookieValue(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// zone finds an IANA zone. "Local" is refused: the server's zone means nothing to
// the viewer.
func zone(name string) (*time.Location, bool) {
	if name == "" || name == "Local" {
		return nil, false
	}
	z, err := time.LoadLocation(name)
	return z, err == nil
}
