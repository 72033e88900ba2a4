// Package directorytest starts a real LDAP server, OpenLDAP's slapd, with a few
// people in it, for tests of whoever asks a directory.
package directorytest
