package listing

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Page is one page of a list.
type Page[T any] struct {
	Items  []T
	Total  int // rows on all pages
	Number int // of this page, from 1
	Size   int
}

// NewPage returns the page that answers q.
func NewPage[T any](q Query, items []T, total int) Page[T] {
	return Page[T]{Items: items, Total: total, Number: q.Page, Size: q.Size}
}

// Map converts the items of a page.
func Map[T, U any](p Page[T], fn func(T) U) Page[U] {
	items := make([]U, 0, len(p.Items))
	for _, item := range p.Items {
		items = append(items, fn(item))
	}
	return Page[U]{Items: items, Total: p.Total, Number: p.Number, Size: p.Size}
}

// Pages is the number of pages, at least 1.
func (p Page[T]) Pages() int {
	if p.Size <= 0 || p.Total <= 0 {
		return 1
	}
	return (p.Total + p.Size - 1) / p.Size
}

// Clamp returns q with a page number that exists in a list of total rows: who deletes the last row of the last page
// should see the page before it.
func (q Query) Clamp(total int) Query {
	last := max(1, (total+q.Size-1)/q.Size)
	q.Page = min(q.Page, last)
	return q
}

// The functions below return query strings such as "?page=2&q=x". They keep every parameter of the request that they
// do not change, those of other components too, and drop parameters that say nothing.

// PageLink leads to another page.
func (q Query) PageLink(page int) string {
	return q.link(func(v url.Values) { v.Set("page", strconv.Itoa(page)) })
}

// SizeLink leads to the first page in another size.
func (q Query) SizeLink(size int) string {
	return q.link(func(v url.Values) {
		v.Set("size", strconv.Itoa(size))
		v.Del("page")
	})
}

// SortLink leads to the first page sorted by key; for the present key the direction turns.
func (q Query) SortLink(key string) string {
	return q.link(func(v url.Values) {
		if q.Sort == key && !q.Desc {
			key = "-" + key
		}
		v.Set("sort", key)
		v.Del("page")
	})
}

// AriaSort is the aria-sort value of the header of key.
func (q Query) AriaSort(key string) string {
	switch {
	case q.Sort != key:
		return "none"
	case q.Desc:
		return "descending"
	}
	return "ascending"
}

// WithoutFilter leads to the first page without one value of a filter; an empty value drops the filter.
func (q Query) WithoutFilter(name, value string) string {
	return q.link(func(v url.Values) {
		v[name] = slices.DeleteFunc(slices.Clone(v[name]), func(x string) bool { return value == "" || strings.TrimSpace(x) == value })
		v.Del("page")
	})
}

// ClearLink leads to the first page without search and filters.
func (q Query) ClearLink() string {
	return q.link(func(v url.Values) {
		v.Del("q")
		v.Del("page")
		for name := range q.spec.Filters {
			v.Del(name)
		}
	})
}

// Hidden returns the parameters that a filter form must carry along as hidden fields: all but those named.
func (q Query) Hidden(except ...string) url.Values {
	v := cloneValues(q.params)
	v.Del("page")
	for _, name := range except {
		v.Del(name)
	}
	return v
}

func (q Query) link(change func(url.Values)) string {
	v := cloneValues(q.params)
	change(v)
	if v.Get("page") == "1" {
		v.Del("page")
	}
	for name, values := range v {
		if v[name] = slices.DeleteFunc(values, func(x string) bool { return x == "" }); len(v[name]) == 0 {
			v.Del(name)
		}
	}
	return "?" + v.Encode()
}
