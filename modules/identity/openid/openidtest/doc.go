// Package openidtest is a small OpenID Connect provider for tests of whoever
// signs in at one. It speaks real HTTP, signs real tokens and can be told to lie.
package openidtest
