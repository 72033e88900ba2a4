// Package shell is the SHELL task: a script for bash, or for sh where there is no bash.
package shell
