package i18n

import (
	"context"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// Locale is a language the interface is written in.
type Locale string

// The languages with a complete catalogue.
const (
	English Locale = "en"
	Chinese Locale = "zh"
)

// Locales lists every language in the order the language menu shows them.
func Locales() []Locale { return []Locale{English, Chinese} }

// Tag is the BCP 47 tag for the lang attribute and the Content-Language header.
func (l Locale) Tag() string {
	if l == Chinese {
		return "zh-CN"
	}
	return "en"
}

// Name is the language's name in that language, as the language menu shows it.
func (l Locale) Name() string {
	if l == Chinese {
		return "中文"
	}
	return "English"
}

// Parse reads a stored or submitted locale ("en", "zh", "zh_CN", "zh-CN",
// "en_US"). It reports false for a language without a catalogue.
func Parse(s string) (Locale, bool) {
	base, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(s)), "_", "-"), "-")
	switch Locale(base) {
	case English:
		return English, true
	case Chinese:
		return Chinese, true
	default:
		return "", false
	}
}

// Match picks the locale of a request: what the user saved, else the cookie,
// else the Accept-Language header, else English. Empty or unknown values are
// passed over.
func Match(userSetting, cookie, acceptLanguage string) Locale {
	for _, s := range []string{userSetting, cookie} {
		if l, ok := Parse(s); ok {
			return l
		}
	}
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(wanted) == 0 {
		return English
	}
	matcher := language.NewMatcher([]language.Tag{language.English, language.Chinese})
	_, index, confidence := matcher.Match(wanted...)
	if confidence == language.No {
		return English
	}
	return Locales()[index]
}

type localeKey struct{}

type zoneKey struct{}

// WithLocale returns a context whose messages are in l.
func WithLocale(ctx context.Context, l Locale) context.Context {
	return context.WithValue(ctx, localeKey{}, l)
}

// FromContext returns the locale of the request, English when none was set.
func FromContext(ctx context.Context) Locale {
	if l, ok := ctx.Value(localeKey{}).(Locale); ok {
		return l
	}
	return English
}

// WithZone returns a context whose times are shown in zone.
func WithZone(ctx context.Context, zone *time.Location) context.Context {
	return context.WithValue(ctx, zoneKey{}, zone)
}

// Zone returns the viewer's time zone, UTC when none was set.
func Zone(ctx context.Context) *time.Location {
	if z, ok := ctx.Value(zoneKey{}).(*time.Location); ok && z != nil {
		return z
	}
	return time.UTC
}
