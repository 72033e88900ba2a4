package listing

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxSize is the largest page the JSON interface hands out; pages for people offer Sizes.
const (
	MaxSize     = 1000
	DefaultSize = 10
	// maxPage keeps (page-1)*size far from overflowing.
	maxPage   = 1_000_000
	maxSearch = 200 // characters
)

// Sizes are the page sizes a person can choose from.
func Sizes() []int { return []int{10, 30, 50, 100} }

// Spec is what a list allows.
type Spec struct {
	Columns map[string]string // sort key → SQL expression
	Search  []string          // SQL expressions that q searches, any of them
	// Filters maps a filter name to the SQL expression that must equal one of the values. The expression is text: another
	// type is wrapped in CAST(… AS TEXT), since anybody may put anything into an address.
	Filters map[string]string
	Default string // sort when the request names none
	ID      string // SQL expression of the unique column that breaks ties
	Size    int    // page size when the request names none; 0 means DefaultSize
}

// Query is a checked request for one page of a list.
type Query struct {
	Page    int // from 1
	Size    int
	Sort    string // key of Spec.Columns
	Desc    bool
	Search  string              // trimmed; empty for none
	Filters map[string][]string // only names of Spec.Filters, only with values

	spec   Spec
	params url.Values // all of the request, for links
	among  []int64
}

// Parse reads page, size, sort, q and the filters of spec from values. It never fails: anything odd falls back to the
// default, page numbers beyond the end are the caller's to meet with an empty page or Clamp.
func Parse(values url.Values, spec Spec) Query {
	q := Query{
		Page:    bounded(values.Get("page"), 1, 1, maxPage),
		Size:    bounded(values.Get("size"), spec.size(), 1, MaxSize),
		Search:  cut(text(values.Get("q")), maxSearch),
		Filters: map[string][]string{},
		spec:    spec,
		params:  values,
	}
	q.Sort, q.Desc = spec.sort(values.Get("sort"))
	for name := range spec.Filters {
		for _, v := range values[name] {
			if v = text(v); v != "" && !slices.Contains(q.Filters[name], v) {
				q.Filters[name] = append(q.Filters[name], v)
			}
		}
	}
	return q
}

// text is what somebody typed, without what no database takes as text: NUL and what is not UTF-8.
func text(s string) string {
	return strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), ""))
}

// New returns a query made by a program instead of a request, such as the JSON interface with other parameter names.
// page and size are brought into their bounds.
func New(spec Spec, page, size int, search string) Query {
	values := url.Values{}
	if search != "" {
		values.Set("q", search)
	}
	values.Set("page", strconv.Itoa(page))
	values.Set("size", strconv.Itoa(min(size, MaxSize)))
	return Parse(values, spec)
}

// WithFilter returns a copy that also demands one of values for a filter of the Spec.
func (q Query) WithFilter(name string, values ...string) Query {
	params := cloneValues(q.params)
	params[name] = values
	page := q.Page
	q2 := Parse(params, q.spec)
	q2.Page = page
	return q2
}

// Among returns a copy that only finds rows whose Spec.ID is one of ids. No ids narrow nothing.
func (q Query) Among(ids []int64) Query {
	q.among = ids
	return q
}

// Active reports whether a search or a filter narrows the list: an empty result then means "no match".
func (q Query) Active() bool { return q.Search != "" || len(q.Filters) > 0 }

func (s Spec) size() int {
	if s.Size > 0 {
		return min(s.Size, MaxSize)
	}
	return DefaultSize
}

func (s Spec) sort(asked string) (key string, desc bool) {
	for _, candidate := range []string{asked, s.Default} {
		key, desc := strings.TrimPrefix(candidate, "-"), strings.HasPrefix(candidate, "-")
		if _, ok := s.Columns[key]; ok {
			return key, desc
		}
	}
	return "", false
}

func bounded(text string, fallback, low, high int) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < low {
		return fallback
	}
	return min(n, high)
}

func cut(s string, characters int) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
	if utf8.RuneCountInString(s) <= characters {
		return s
	}
	return string([]rune(s)[:characters])
}

func cloneValues(v url.Values) url.Values {
	out := make(url.Values, len(v))
	for name, values := range v {
		out[name] = slices.Clone(values)
	}
	return out
}
