// Package identity knows who somebody is: users, passwords, sessions, sign-in
// links and access tokens.
//
// # Signing in
//
//	name + password ──► throttle ──► argon2id ──► session ──► Authenticate on each request
//	one-time link ──────────────────────────────► session, and a new password must be chosen
//	access token ───────────────────────────────────────────► AuthenticateToken
//
// The database holds hashes only: of passwords slow ones, of the secrets of
// sessions, links and tokens SHA-256, since those are random. A session ends
// after 7 days without use and after 30 days in any case, at sign-out, and when
// its user is disabled or gets another password.
//
// # Guessing
//
// Every attempt is counted before the password is looked at, so that attempts
// made at once are all counted, for the name and for the address; success takes
// the count back. Beyond a few failures each further one doubles a pause, up to
// a minute for a name and a quarter of an hour for an address. Nobody can lock
// out somebody else: an address from which the user has a session is not held
// back by failures of other addresses. An unknown name takes the same time and
// gives the same answer as a wrong password. Hashing needs 19 MiB a time and
// runs a few at a time; when too many wait, further ones are refused.
//
// # Users
//
// Administrators manage users; there is always at least one who is enabled, and
// nobody can disable, demote or delete himself. The tenant of a user and
// whatever refers to a user belong to modules above, which hand in Tenants and
// Referrer.
package identity
