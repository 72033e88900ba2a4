// Package cli is the command line: a command parses its flags, loads the configuration and calls boot. It holds no
// rule of the product.
package cli
