package frame

import (
	"net/http"

	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/views/components"
)

// Query reads what the request asks of a list; the page size is the viewer's own
// unless the address names one.
func Query(r *http.Request, spec listing.Spec) listing.Query {
	if v, ok := web.ViewerFrom(r.Context()); ok && v.PageSize > 0 {
		spec.Size = v.PageSize
	}
	return listing.Parse(r.URL.Query(), spec)
}

// Listing is what the view of a list needs to know about the list at path.
func Listing(path string, q listing.Query, total int) components.Listing {
	l := components.Listing{
		URL: path, Query: q.Hidden(), Search: q.Search, Page: q.Page, Size: q.Size, Total: total,
		Sort: q.Sort, Desc: q.Desc, Filtered: q.Active(), ClearURL: path + q.ClearLink(), Filters: map[string]string{},
	}
	for name, values := range q.Filters {
		l.Filters[name] = values[0]
	}
	return l
}

// Listed is Listing for the page of results that answers a request.
func Listed[T any](path string, q listing.Query, p listing.Page[T]) components.Listing {
	return Listing(path, q.Clamp(p.Total), p.Total)
}
