// Package keep draws the page about retention: how long what stays, and what
// was removed last.
package keep
