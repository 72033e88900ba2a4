// Package zktest starts real ZooKeeper servers for Go tests, from the packages of the operating system, each in a folder
// of its own and on free loopback ports.
package zktest
