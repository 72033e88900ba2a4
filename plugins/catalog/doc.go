// Package catalog is the one explicit list of plugins that the program has. Nothing registers itself: a plugin that is
// not named here does not exist, and a test fails on a plugin folder that is not.
package catalog
