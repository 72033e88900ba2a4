// Package listing is what every list page shares: it parses page, size, sort,
// search and filters from a request, refuses what is not on the whitelist, turns
// the rest into SQL, and builds the links of headers, filters and the pager.
//
//	var sortable = listing.Spec{
//		Columns: map[string]string{"name": "u.name", "updated": "u.updated_at"},
//		Search:  []string{"u.name", "u.email"},
//		Filters: map[string]string{"state": "CAST(u.state AS TEXT)"},
//		Default: "-updated",
//		ID:      "u.id",
//	}
//
//	q := listing.Parse(r.URL.Query(), sortable)
//
// A sort is a key of Columns, with "-" in front for descending; the address
// carries it as sort=-updated. Whatever a request asks for that the Spec does
// not know falls back to the default: an old link still shows the list.
package listing
