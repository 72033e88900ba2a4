package identity

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dorado/app/kit/fault"
)

// Scope is what a token is limited to: permissions and patterns of them, such as "instance.*" and "*.read", and projects
// as "project:<code>". Without a permission all are meant, without a project all are. An empty scope limits nothing.
type Scope []string

// maxScope is the most words of a scope.
const maxScope = 100

var scopeWord = regexp.MustCompile(`^(?:project:[1-9][0-9]{0,18}|(?:\*|[a-z][a-z0-9_]*)\.(?:\*|[a-z][a-z0-9_]*))$`)

// ParseScope reads words between blanks, commas or line ends. What is wrong with them is found when a token is made.
func ParseScope(text string) Scope {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' })
	slices.Sort(words)
	return slices.Compact(words)
}

// ReadOnly is the scope of a token that changes nothing.
func ReadOnly() Scope { return Scope{"*.read", "*.view"} }

// Operating is the scope of a token that also starts, stops and repairs.
func Operating() Scope {
	return append(ReadOnly(), "instance.operate", "schedule.release", "taskgroup.operate", "workflow.run")
}

// String is the words between blanks.
func (s Scope) String() string { return strings.Join(s, " ") }

// Projects are the codes of the projects the scope names.
func (s Scope) Projects() []int64 {
	var codes []int64
	for _, w := range s {
		if text, ok := strings.CutPrefix(w, "project:"); ok {
			if code, err := strconv.ParseInt(text, 10, 64); err == nil {
				codes = append(codes, code)
			}
		}
	}
	return codes
}

// Permissions are the words that are no projects.
func (s Scope) Permissions() []string {
	var out []string
	for _, w := range s {
		if !strings.HasPrefix(w, "project:") {
			out = append(out, w)
		}
	}
	return out
}

// Scan reads a column.
func (s *Scope) Scan(value any) error {
	text, ok := value.(string)
	if raw, isRaw := value.([]byte); isRaw {
		text, ok = string(raw), true
	}
	if !ok {
		return fmt.Errorf("identity: a scope is text, not %T", value)
	}
	*s = strings.Fields(text)
	return nil
}

func (s Scope) validate(c *fault.Collector) {
	if len(s) > maxScope {
		c.Add("scope", "identity.token.scope_long", "max", maxScope)
	}
	for _, w := range s {
		if !scopeWord.MatchString(w) {
			c.Add("scope", "identity.token.scope_word", "word", cut(w, 40))
			return
		}
	}
}
