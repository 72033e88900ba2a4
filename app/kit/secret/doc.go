// Package secret keeps secrets from showing up where they do not belong.
//
// String is text that prints as *** everywhere: fmt, slog, JSON. Only Reveal
// gives it away, which makes every use easy to find.
//
// Sealer encrypts text that must rest in the database (AES-256-GCM; the keys
// are in a file of the data folder, or given as text). A sealed text names its
// key, so keys can be rotated: new texts use the newest key, old ones stay
// readable until they are sealed again.
//
// Masker replaces the values of secrets in a stream of text by ***.
package secret
