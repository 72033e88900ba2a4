package httptask

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// maxName is the longest name of a query parameter or header, in characters.
const maxName = 256

// Why settings cannot be used.
var (
	errAddress     = errors.New("the URL must begin with http:// or https:// and name a host")
	errProxy       = errors.New("the proxy must be http://, https:// or socks5:// with a host")
	errStatus      = errors.New("the condition must be status codes, such as 200, or 200-299, 304")
	errCertificate = errors.New("there is no certificate in the text; it begins with -----BEGIN CERTIFICATE-----")
	errHeader      = errors.New("this is no name of a header")
)

// settings are what a task asks for, ready to be used.
type settings struct {
	url      *url.URL
	method   string
	header   http.Header
	body     string
	hasBody  bool
	ignored  bool // there are rows for the body, and a body, which wins
	check    string
	statuses statuses
	text     string // of the condition
	connect  time.Duration
	silence  time.Duration // 0: any
	follow   bool
	insecure bool
	roots    *x509.CertPool // nil: those of the machine
	proxy    *url.URL       // nil: none
}

// read turns values whose placeholders have been replaced into settings.
func read(v form.Values) (settings, error) {
	s := settings{
		method: cmp.Or(v.Text(method), http.MethodGet), header: http.Header{},
		check: v.Text(check), text: v.Text(condition),
		connect: milliseconds(v.Number(connectTimeout)), silence: milliseconds(v.Number(socketTimeout)),
		follow: v.Bool(followRedirects), insecure: v.Bool(skipVerify),
	}
	var err error
	if s.url, err = parseAddress(v.Text(address)); err != nil {
		return s, err
	}
	if s.check == statusCustom {
		if s.statuses, err = parseStatuses(s.text); err != nil {
			return s, err
		}
	}
	if text := strings.TrimSpace(v.Text(authorities)); text != "" {
		if s.roots, err = parseAuthorities(text); err != nil {
			return s, err
		}
	}
	if text := strings.TrimSpace(v.Text(proxy)); text != "" {
		if s.proxy, err = parseProxy(text); err != nil {
			return s, err
		}
	}
	members, err := s.place(v.Rows(parameters))
	if err != nil {
		return s, err
	}
	return s, s.setBody(v.Text(body), members)
}

func milliseconds(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

// place puts rows into the query and the header, and returns those for the body.
func (s *settings) place(rows []form.Row) (members map[string]string, err error) {
	members = map[string]string{}
	query := []string{}
	if s.url.RawQuery != "" {
		query = append(query, s.url.RawQuery)
	}
	for _, row := range rows {
		name, text := strings.TrimSpace(row[prop]), row[value]
		switch row[place] {
		case inHeader:
			if !token(name) {
				return nil, fmt.Errorf("%w: %q", errHeader, name)
			}
			s.header.Add(name, strings.TrimSpace(text))
		case inBody:
			members[name] = text
		default:
			query = append(query, url.QueryEscape(name)+"="+url.QueryEscape(text))
		}
	}
	s.url.RawQuery = strings.Join(query, "&")
	return members, nil
}

// statuses are ranges of status codes, both ends included.
type statuses [][2]int

func parseStatuses(text string) (statuses, error) {
	var all statuses
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, err1 := strconv.Atoi(strings.TrimSpace(first))
		to, err2 := strconv.Atoi(strings.TrimSpace(last))
		if err1 != nil || err2 != nil || from < 100 || to > 999 || from > to {
			return nil, errStatus
		}
		all = append(all, [2]int{from, to})
	}
	return all, nil
}

func (s statuses) has(code int) bool {
	return slices.ContainsFunc(s, func(r [2]int) bool { return r[0] <= code && code <= r[1] })
}

func parseAddress(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errAddress // the parser's own error repeats the text, which may hold a password
	}
	u.Fragment, u.RawFragment = "", ""
	u.RawQuery = clean(u.RawQuery)
	return u, nil
}

// clean escapes what must not stand in a request line; parameters put it there.
func clean(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func parseProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return nil, errProxy
	}
	return u, nil
}

// parseAuthorities adds certificates to those of the machine.
func parseAuthorities(text string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM([]byte(text)) {
		return nil, errCertificate
	}
	return pool, nil
}

// token reports whether name may be the name of a header.
func token(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

// open reports whether a text has placeholders, so that nobody knows yet what it will be.
func open(text string) bool { return strings.Contains(text, "${") || strings.Contains(text, "$[") }

// problems returns what one field alone does not show.
func problems(v form.Values) []form.Problem {
	var all []form.Problem
	add := func(field, key string, args ...any) {
		all = append(all, form.Problem{Field: field, Key: key, Args: args})
	}
	if text := v.Text(address); !open(text) {
		if _, err := parseAddress(text); err != nil {
			add(address, "task.http.problem.url")
		}
	}
	if text := v.Text(condition); v.Text(check) == statusCustom && !open(text) {
		if _, err := parseStatuses(text); err != nil {
			add(condition, "task.http.problem.status")
		}
	}
	if text := strings.TrimSpace(v.Text(authorities)); text != "" && !open(text) {
		if _, err := parseAuthorities(text); err != nil {
			add(authorities, "task.http.problem.ca")
		}
	}
	if text := strings.TrimSpace(v.Text(proxy)); text != "" && !open(text) {
		if _, err := parseProxy(text); err != nil {
			add(proxy, "task.http.problem.proxy")
		}
	}
	for i, row := range v.Rows(parameters) {
		switch name := strings.TrimSpace(row[prop]); {
		case name == "":
			add(parameters, "task.http.problem.name_missing", "row", i+1)
		case utf8.RuneCountInString(name) > maxName:
			add(parameters, "task.http.problem.name_too_long", "row", i+1, "max", maxName)
		case row[place] == inHeader && !open(name) && !token(name):
			add(parameters, "task.http.problem.header", "row", i+1, "name", name)
		}
	}
	for _, p := range v.Params(task.LocalParams) {
		if p.Direct == "OUT" && isPath(p.Value) && !strings.Contains(p.Value, "${") {
			if _, err := parsePath(p.Value); err != nil {
				add(task.LocalParams, "task.http.problem.path", "name", p.Prop)
			}
		}
	}
	return all
}
