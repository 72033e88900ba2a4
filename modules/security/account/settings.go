package account

import (
	"net/http"
	"strconv"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/identity"
	"dorado/views/account"
	"dorado/views/components"
)

func (m *Module) settings(r *http.Request) (web.Response, error) {
	p, err := access.Must(r.Context())
	if err != nil {
		return nil, err
	}
	return m.settingsForm(r, preferences(r, p), nil), nil
}

// preferences are what p chose, or what he sees as long as he chose nothing.
func preferences(r *http.Request, p access.Principal) identity.Preferences {
	pref := identity.Preferences{Zone: p.Zone, Locale: p.Locale, Theme: p.Theme, PageSize: p.PageSize}
	if pref.Zone == "" {
		pref.Zone = i18n.Zone(r.Context()).String()
	}
	if pref.Locale == "" {
		pref.Locale = string(i18n.FromContext(r.Context()))
	}
	if pref.PageSize == 0 {
		pref.PageSize = listing.DefaultSize
	}
	return pref
}

func (m *Module) settingsForm(r *http.Request, p identity.Preferences, f *web.Form) web.Response {
	view := account.SettingsForm{
		Shell: m.frame.Page(r, i18n.T(r.Context(), "account.settings.title")), Action: settingsPath,
		Theme: p.Theme, Locale: p.Locale, Zone: p.Zone, PageSize: strconv.Itoa(p.PageSize), Error: f.Notice(), Errors: f.Errors(),
	}
	for _, z := range Zones() {
		view.Zones = append(view.Zones, components.Option{Value: z, Label: z})
	}
	for _, n := range listing.Sizes() {
		view.PageSizes = append(view.PageSizes, components.Option{Value: strconv.Itoa(n), Label: strconv.Itoa(n)})
	}
	return f.Again(account.Settings(view))
}

func (m *Module) saveSettings(r *http.Request) (web.Response, error) {
	f := web.ReadForm(r)
	p := identity.Preferences{Zone: f.Text("zone"), Locale: f.Text("locale"), Theme: f.Text("theme"), PageSize: f.Int("page_size")}
	err := m.identity.UpdatePreferences(r.Context(), p)
	if f.Rejects(err) {
		return m.settingsForm(r, p, f), nil
	}
	if err != nil {
		return nil, err
	}
	return web.With(web.Redirect(settingsPath).Toast("account.settings.saved"), func(w http.ResponseWriter, r *http.Request) {
		web.RememberTheme(w, r, p.Theme)
		if l, ok := i18n.Parse(p.Locale); ok {
			web.RememberLocale(w, r, l)
		}
	}), nil
}

// setTheme is the switch in the account menu and on the sign-in page. The browser
// keeps the choice too, so that the first paint after signing out is right.
func (m *Module) setTheme(r *http.Request) (web.Response, error) {
	theme := web.ReadForm(r).Text("theme")
	if !web.ValidTheme(theme) {
		theme = web.ThemeSystem
	}
	if err := m.keep(r, func(p *identity.Preferences) { p.Theme = theme }); err != nil {
		return nil, err
	}
	return web.With(web.Redirect(web.Next(r, frame.HomePath)), func(w http.ResponseWriter, r *http.Request) {
		web.RememberTheme(w, r, theme)
	}), nil
}

func (m *Module) setLanguage(r *http.Request) (web.Response, error) {
	back := web.Redirect(web.Next(r, frame.HomePath))
	l, ok := i18n.Parse(web.ReadForm(r).Text("locale"))
	if !ok {
		return back, nil
	}
	if err := m.keep(r, func(p *identity.Preferences) { p.Locale = string(l) }); err != nil {
		return nil, err
	}
	return web.With(back, func(w http.ResponseWriter, r *http.Request) { web.RememberLocale(w, r, l) }), nil
}

// keep stores a changed preference of who is signed in; nobody has none to store.
func (m *Module) keep(r *http.Request, change func(*identity.Preferences)) error {
	p, ok := access.From(r.Context())
	if !ok {
		return nil
	}
	pref := identity.Preferences{Zone: p.Zone, Locale: p.Locale, Theme: p.Theme, PageSize: p.PageSize}
	if pref.PageSize == 0 {
		pref.PageSize = listing.DefaultSize
	}
	change(&pref)
	return m.identity.UpdatePreferences(r.Context(), pref)
}

// Zones are the names offered while typing; every other IANA name is accepted too.
func Zones() []string {
	return []string{
		"UTC", "Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Anchorage", "America/Argentina/Buenos_Aires",
		"America/Bogota", "America/Chicago", "America/Denver", "America/Halifax", "America/Lima", "America/Los_Angeles", "America/Mexico_City",
		"America/New_York", "America/Phoenix", "America/Santiago", "America/Sao_Paulo", "America/Toronto", "America/Vancouver",
		"Asia/Almaty", "Asia/Baghdad", "Asia/Bangkok", "Asia/Chongqing", "Asia/Colombo", "Asia/Dhaka", "Asia/Dubai", "Asia/Ho_Chi_Minh",
		"Asia/Hong_Kong", "Asia/Jakarta", "Asia/Jerusalem", "Asia/Karachi", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Kuala_Lumpur", "Asia/Macau",
		"Asia/Manila", "Asia/Riyadh", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Taipei", "Asia/Tashkent", "Asia/Tehran", "Asia/Tokyo",
		"Asia/Urumqi", "Asia/Yangon", "Atlantic/Azores", "Atlantic/Reykjavik", "Australia/Adelaide", "Australia/Brisbane", "Australia/Darwin",
		"Australia/Melbourne", "Australia/Perth", "Australia/Sydney", "Europe/Amsterdam", "Europe/Athens", "Europe/Berlin", "Europe/Brussels",
		"Europe/Bucharest", "Europe/Dublin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Kyiv", "Europe/Lisbon", "Europe/London", "Europe/Madrid",
		"Europe/Moscow", "Europe/Oslo", "Europe/Paris", "Europe/Prague", "Europe/Rome", "Europe/Stockholm", "Europe/Vienna", "Europe/Warsaw",
		"Europe/Zurich", "Pacific/Auckland", "Pacific/Fiji", "Pacific/Honolulu",
	}
}
