// Package crudtest holds the behaviour that every list-and-form module of the
// security center must have, as one suite: list, search, sort, page, create,
// duplicate, edit, stale edit, delete, delete in use, forbidden, cross-origin,
// translated errors, hostile text, garbage numbers; with and without scripts, on
// both databases.
//
// A module says in a Case what its addresses and fields are:
//
//	func TestTenantsBehaveLikeEveryList(t *testing.T) {
//		t.Parallel()
//		crudtest.Run(t, crudtest.Case{Path: tenant.Path, Open: open, …})
//	}
package crudtest
