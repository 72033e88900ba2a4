package web

import (
	"net/http"
	"net/url"
	"strings"
)

// Next returns the path that the request asks to be sent to afterwards (the
// parameter next), or fallback. Only a path on this server is accepted, so a
// crafted link cannot send somebody elsewhere after signing in.
func Next(r *http.Request, fallback string) string {
	return localPath(r.FormValue("next"), fallback)
}

// WithNext adds next to address as the place to come back to.
func WithNext(address, next string) string {
	next = localPath(next, "")
	if next == "" || next == "/" {
		return address
	}
	return address + "?next=" + url.QueryEscape(next)
}

// localPath returns candidate when it is an absolute path on this server.
// Browsers read a backslash as a slash and drop control characters, so "/\host"
// and "/<tab>/host" would leave the server as much as "//host" does.
func localPath(candidate, fallback string) string {
	if len(candidate) < 1 || candidate[0] != '/' || strings.HasPrefix(candidate, "//") {
		return fallback
	}
	for _, r := range candidate {
		if r == '\\' || r < 0x20 || r == 0x7f {
			return fallback
		}
	}
	u, err := url.Parse(candidate)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		return fallback
	}
	// "/%2fhost" and "/./ /host" stay on this server: the path is not decoded again.
	if strings.HasPrefix(u.Path, "//") {
		return fallback
	}
	return candidate
}
