// Package transfer draws the pages on which workflows come in from files and go out to files.
package transfer
