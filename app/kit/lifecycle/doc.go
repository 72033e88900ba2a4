// Package lifecycle starts the services of a process in order and stops them in
// reverse.
//
//	Start of A ── Start of B ── all running ── signal or crash ── stop B ── stop A
//
// A service may have any of three parts. Start prepares and returns once the
// service is ready: the next one may rely on it. Run works until its context
// ends. Stop asks for an orderly end, such as letting requests finish; then the
// context of Run ends and Run is awaited. Stop and the wait share the service's
// drain time; who takes longer is left behind and named in the result.
//
// A Run that returns on its own, or panics, is a crash: the whole group stops
// and returns that cause.
package lifecycle
