// Package directory asks an LDAP directory, such as OpenLDAP or Active Directory,
// who somebody is. It knows neither users nor sessions of ours.
//
//	name ──► search, as the account of the configuration ──► exactly one entry
//	password ──► bind as that entry ──► it is him
//	entry ──► is it in the group of administrators?
//
// What people type never becomes part of a filter unescaped, and an empty
// password, with which many directories let anybody bind, is never sent. Passwords
// travel encrypted unless the configuration says otherwise in so many words.
// References to other directories are not followed: they would be asked with the
// password of somebody who trusted this one. A sign-in ends when its time is over,
// however slowly the directory answers, and only a few are under way at once.
package directory
