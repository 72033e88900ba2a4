// Package errors draws what a reader sees when a request fails: a page of its own,
// or a notice inside the page that is open.
package errors
