// Package login draws the page on which one signs in.
package login
