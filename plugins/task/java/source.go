package java

import (
	"regexp"
	"strings"
	"unicode"
)

// class is the class that a source file is about.
type class struct {
	pack string // its package; "" for none
	name string
}

// full is the name by which the JVM finds it.
func (c class) full() string {
	if c.pack == "" {
		return c.name
	}
	return c.pack + "." + c.name
}

const (
	ident    = `[\p{L}_$][\p{L}\p{N}_$]*`
	modifier = `(?:(?:abstract|final|strictfp|sealed|non-sealed|static)\s+)*`
	kind     = `(?:class|record|enum|interface)\s+`
)

var (
	inPackage   = regexp.MustCompile(`(?:^|[\s;])package\s+(` + ident + `(?:\s*\.\s*` + ident + `)*)\s*;`)
	publicClass = regexp.MustCompile(`(?:^|[\s;}])public\s+` + modifier + kind + `(` + ident + `)`)
	anyClass    = regexp.MustCompile(`(?:^|[\s;}])` + kind + `(` + ident + `)`)
	qualified   = regexp.MustCompile(`^` + ident + `(?:\.` + ident + `)*$`)
	blanks      = regexp.MustCompile(`\s+`)
)

// maxName keeps the name of a file below what file systems take.
const maxName = 200

// findClass finds the public class of a source file, or the first one where none is public.
func findClass(source string) (class, bool) {
	code := withoutWords(source)
	m := publicClass.FindStringSubmatch(code)
	if m == nil {
		m = anyClass.FindStringSubmatch(code)
	}
	if m == nil || len(m[1]) > maxName {
		return class{}, false
	}
	c := class{name: m[1]}
	if p := inPackage.FindStringSubmatch(code); p != nil {
		c.pack = blanks.ReplaceAllString(p[1], "")
	}
	return c, true
}

// validName reports whether name may be the full name of a class.
func validName(name string) bool { return qualified.MatchString(name) }

// withoutWords takes comments and texts out of a source file: both may talk of classes.
func withoutWords(source string) string {
	var b strings.Builder
	for len(source) > 0 {
		switch {
		case strings.HasPrefix(source, "//"):
			_, source, _ = strings.Cut(source, "\n")
			b.WriteByte('\n')
		case strings.HasPrefix(source, "/*"):
			_, source, _ = strings.Cut(source[2:], "*/")
			b.WriteByte(' ')
		case strings.HasPrefix(source, `"""`):
			source = afterText(source[3:], `"""`)
			b.WriteByte(' ')
		case source[0] == '"', source[0] == '\'':
			source = afterText(source[1:], source[:1])
			b.WriteByte(' ')
		default:
			b.WriteByte(source[0])
			source = source[1:]
		}
	}
	return strings.TrimLeftFunc(b.String(), func(r rune) bool { return r == '\uFEFF' || unicode.IsSpace(r) })
}

// afterText returns what stands behind the end of a text.
func afterText(source, end string) string {
	for len(source) > 0 {
		switch {
		case source[0] == '\\' && len(source) > 1:
			source = source[2:]
		case strings.HasPrefix(source, end):
			return source[len(end):]
		default:
			source = source[1:]
		}
	}
	return ""
}
