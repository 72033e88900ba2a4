// Package transfer brings workflows in from files and takes them out to files.
package transfer
