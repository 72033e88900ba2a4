package access

import (
	"slices"
	"strings"
)

// inScope reports whether a token limited to these words covers a question. Words about permissions say what, words about
// projects say where; both must hold. What is no matter of a project must be named by a word about permissions. A word
// that means nothing covers nothing.
func inScope(scope []string, q question) bool {
	var places, verbs, here, named bool
	for _, word := range scope {
		if code, ok := projectOf(word); ok {
			places, here = true, here || code == q.project
			continue
		}
		verbs, named = true, named || Covers(word, q.act)
	}
	if q.project == everywhere {
		return named
	}
	return (named || !verbs) && (here || !places)
}

// scopeProjects are the projects a scope names, nil when it names none.
func scopeProjects(scope []string) []int64 {
	var codes []int64
	for _, word := range scope {
		if code, ok := projectOf(word); ok {
			codes = append(codes, code)
		}
	}
	return codes
}

// BadScope returns the words of a scope that mean nothing: neither "project:<code>" nor a permission or a pattern that a
// declared permission fits.
func (s *Service) BadScope(scope []string) []string {
	var bad []string
	for _, word := range scope {
		if code, ok := projectOf(word); ok && code > 0 {
			continue
		}
		if strings.HasPrefix(word, projectPrefix) || !slices.ContainsFunc(s.Rules, func(r Rule) bool { return Covers(word, r.Permission) }) {
			bad = append(bad, word)
		}
	}
	return bad
}
