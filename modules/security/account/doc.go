// Package account is how one signs in and out, and looks after oneself: profile,
// password, settings, sessions.
//
// It is also where a request gets its principal. Authenticate does so for pages
// from the session cookie, AuthenticateREST for REST from the headers token and
// sessionId, else the cookie. Services decide what the principal may; somebody who
// must choose a password first reaches nothing but the page for that.
//
//	GET  /login             the sign-in page        POST /login             with a password
//	GET  /login/link        choose a password       POST /login/link        with a one-time link
//	GET  /login/oidc        off to the provider     GET  /login/oidc/callback  and back
//	POST /logout
//	GET  /profile           who I am, my sessions   POST /profile           e-mail address, phone
//	GET  /password                                  POST /password
//	GET  /settings          how pages look          POST /settings, /settings/theme, /settings/language
package account
