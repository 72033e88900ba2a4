// Package crud holds what modules of named things share: the rules of keeping them (Keeper) and the pages to list,
// create, edit and delete them (Pages).
//
// A noun says what is its own: its type (Object), what a form may set (Draft), its SQL (Store), its columns and the
// fields of its form. Keeper then checks the permission, validates, writes row and audit entry in one transaction,
// notices an edit that somebody made meanwhile, and refuses to delete what something refers to. Pages decode requests,
// call the Keeper, and draw with views/crud.
//
// A service embeds its Keeper and adds what is odd about the noun; nothing here knows any of them.
package crud
