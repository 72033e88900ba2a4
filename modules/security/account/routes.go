package account

import (
	"log/slog"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/identity"
	"dorado/modules/security/tenant"
)

// Addresses of this package.
const (
	loginPath    = frame.LoginPath
	linkPath     = "/login/link"
	logoutPath   = frame.LogoutPath
	profilePath  = "/profile"
	passwordPath = "/password"
	settingsPath = "/settings"
	themePath    = frame.ThemePath
	languagePath = frame.LanguagePath
	aboutPath    = "/about"

	// TokensPath is the list of access tokens.
	TokensPath = "/security/tokens"

	// ProviderPath is where a sign-in at the OpenID Connect provider begins, and ProviderReturnPath where it ends.
	ProviderPath       = loginPath + "/oidc"
	ProviderReturnPath = ProviderPath + "/callback"
)

// LinkPath is the address of a one-time sign-in link on this server.
func LinkPath(token string) string { return linkPath + "?token=" + token }

// Build is what the program says about itself.
type Build struct {
	Version string
	Commit  string
	Go      string
}

// Deps are what the module needs.
type Deps struct {
	Identity *identity.Service
	Access   *access.Service
	Tenants  *tenant.Service
	Site     *web.Site
	API      *dsapi.API
	Frame    *frame.Frame
	Log      *slog.Logger
	Build    Build
	URL      string // how browsers reach the pages
}

// Module is signing in and one's own account.
type Module struct {
	identity *identity.Service
	access   *access.Service
	tenants  *tenant.Service
	site     *web.Site
	rest     *dsapi.API
	frame    *frame.Frame
	log      *slog.Logger
	build    Build
	url      string
}

// New makes the module.
func New(d Deps) *Module {
	return &Module{
		identity: d.Identity, access: d.Access, tenants: d.Tenants, site: d.Site, rest: d.API, frame: d.Frame, log: d.Log, build: d.Build,
		url: d.URL,
	}
}

// Routes adds the pages.
func (m *Module) Routes(r chi.Router) {
	h := m.site.Handle
	r.Get(loginPath, h(m.signInPage))
	r.Post(loginPath, h(m.signIn))
	r.Get(linkPath, h(m.linkPage))
	r.Post(linkPath, h(m.signInByLink))
	r.Post(logoutPath, h(m.signOut))
	r.Get(ProviderPath, h(m.depart))
	r.Get(ProviderReturnPath, h(m.arrive))

	r.Get(profilePath, h(m.profile))
	r.Post(profilePath, h(m.saveProfile))
	r.Get(profilePath+"/edit", h(m.editProfile))
	r.Post(profilePath+"/sessions/end", h(m.endOtherSessions))
	r.Post(profilePath+"/sessions/{session}/end", h(m.endSession))

	r.Get(passwordPath, h(m.passwordPage))
	r.Post(passwordPath, h(m.changePassword))

	r.Get(settingsPath, h(m.settings))
	r.Post(settingsPath, h(m.saveSettings))
	r.Post(themePath, h(m.setTheme))
	r.Post(languagePath, h(m.setLanguage))
	r.Get(aboutPath, h(m.about))
}

// Menu is the account menu.
func (m *Module) Menu() []frame.Entry {
	return []frame.Entry{
		{Group: frame.Account, Order: 10, Label: "account.profile.title", Path: profilePath, Icon: "user"},
		{Group: frame.Account, Order: 20, Label: "account.password.title", Path: passwordPath, Icon: "lock"},
		{Group: frame.Account, Order: 30, Label: "account.settings.title", Path: settingsPath, Icon: "sliders"},
		{Group: frame.Account, Order: 40, Label: "account.about.title", Path: aboutPath, Icon: "info"},
	}
}
