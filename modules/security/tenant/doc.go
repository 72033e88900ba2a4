// Package tenant keeps the operating-system accounts that tasks run as.
//
// A tenant's code is the name of the account on the workers. It is unique, and
// never changes, because instances and schedules hold it. The code "default" stands for
// the account the worker itself runs under: there is no row for it and none can be
// made. A worker may be told to create missing accounts; that is its own setting.
// Administrators change tenants; a tenant that something refers to cannot be
// deleted.
//
// Calls: pages.go and api.go decode requests and call Service; Service, most of which
// is the Keeper of package crud, checks the permission, validates, and writes row and
// audit entry in one transaction through store. Modules above that hold tenants implement Referrer and are given to the
// service by boot (AddReferrer), because this package cannot know them.
//
// This is the module to read first: the others of the security center have its form.
package tenant
