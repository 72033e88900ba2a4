// Package accesstoken is the pages and REST endpoints for access tokens, with
// which programs sign in. modules/identity has the rules: everybody keeps his own
// tokens, administrators all of them; a token's text is shown once, when it is
// made, and stored as a hash.
package accesstoken
