// Package logs sets up log/slog and names the attributes everybody uses.
//
// Messages are constant, attributes are snake_case, and an error is logged where
// it is handled, once. Attributes that a context carries (With) appear on every
// record logged with that context. A value under a name that sounds like a
// secret is masked, as the last line behind secret.String.
package logs
