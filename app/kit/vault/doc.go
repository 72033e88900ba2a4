// Package vault reads secrets from HashiCorp Vault, or from anything that speaks its HTTP API: the key/value engine in
// version 2, by a token or by AppRole.
//
// A reference is <path>#<field>, such as db/orders#password. The path lies below a folder that belongs to the project
// which asks, so that whoever may write a workflow of one project reads nothing of another.
//
// What was read is kept for a short time. Asking never blocks those who only look at what is known (Cached); whoever
// finds nothing there fetches it (Fetch), and calls for the same secret at the same time are one.
package vault
