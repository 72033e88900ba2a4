// Package openid asks an OpenID Connect provider, such as Keycloak, Entra ID or
// Google, who somebody is. It knows neither users nor sessions of ours.
//
//	Start ──► the browser goes to the provider with a state, a nonce and the hash of a verifier
//	the browser comes back with a code and the state, which the caller compares
//	Finish ──► code and verifier buy an ID token ──► signature, issuer, audience, time and nonce hold ──► claims
//
// A provider that is away when the program starts is asked again with the next
// sign-in. Only signatures that the provider announces, by key pairs, are taken.
package openid
