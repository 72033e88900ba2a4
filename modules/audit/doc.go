// Package audit keeps who did what. An entry is written in the transaction of
// the deed, so there is neither a deed without an entry nor the reverse.
//
// Who acts is in the context: modules/access puts it there together with the
// principal. Entries are never changed; they outlive the user and the object
// they name, which is why they hold names beside ids.
package audit
