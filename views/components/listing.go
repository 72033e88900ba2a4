package components

import (
	"maps"
	"net/url"
	"slices"
)

// Listing is what every list page knows about its list, and makes the props of the
// parts around the rows from it.
type Listing struct {
	URL      string     // of the list, without query
	Query    url.Values // search, filters, sorting and page size as asked
	Search   string
	Filters  map[string]string // active filters by name
	Sort     string            // key of the column that decides
	Desc     bool
	Page     int
	Size     int
	Total    int
	Filtered bool   // search or filters narrow the list
	ClearURL string // the list without them
}

// ListTarget is the id of the element around a list, and its fragment's name.
const ListTarget = "list"

// Filter is the row of filters; filters names the selects among its children.
func (l Listing) Filter(placeholder string) FilterProps {
	return FilterProps{Action: l.URL, Query: l.Query, Keep: []string{"sort", "size"}, Value: l.Search, Placeholder: placeholder, Target: ListTarget}
}

// Column is the head of a column that sorts by key.
func (l Listing) Column(key, label string) Column {
	c := Column{Label: label, Sorted: "none"}
	next := key
	if l.Sort == key {
		c.Sorted = "ascending"
		if l.Desc {
			c.Sorted = "descending"
		} else {
			next = "-" + key
		}
	}
	q := maps.Clone(l.Query)
	if q == nil {
		q = url.Values{}
	}
	delete(q, "page")
	c.SortURL = withQuery(l.URL, q, map[string]string{"sort": next})
	return c
}

// Pager is the pager below the rows.
func (l Listing) Pager() PagerProps {
	return PagerProps{Path: l.URL, Query: l.Query, Page: l.Page, Size: l.Size, Total: l.Total, Target: ListTarget}
}

// Chips are the active filters; labels gives their names by filter, and names the
// shown values where they differ from the sent ones.
func (l Listing) Chips(labels, names map[string]string) ChipsProps {
	p := ChipsProps{ClearURL: l.ClearURL, Target: ListTarget}
	for _, name := range slices.Sorted(maps.Keys(l.Filters)) {
		q := maps.Clone(l.Query)
		delete(q, name)
		value := l.Filters[name]
		if shown, ok := names[value]; ok {
			value = shown
		}
		p.Chips = append(p.Chips, Chip{Label: labels[name], Value: value, RemoveURL: withQuery(l.URL, q, nil)})
	}
	return p
}
