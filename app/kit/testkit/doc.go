// Package testkit is what tests share: golden files, waiting for something to
// become true, free ports, and child processes that end with their test.
package testkit
