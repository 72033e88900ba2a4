// Package secret keeps secrets from showing up where they do not belong.
//
// String is text that prints as *** everywhere: fmt, slog, JSON. Only Reveal
// gives it away, which makes every use easy to find.
//
// Sealer encrypts text that must rest in the database (AES-256-GCM with a key
// file in the data folder). A sealed text names its key, so keys can be rotated:
// new texts use the newest key, old ones stay readable.
package secret
