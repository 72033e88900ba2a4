package browser

import (
	"fmt"
	"strings"
)

// Violation is a rule of axe-core that a page breaks.
type Violation struct {
	ID     string
	Impact string
	Help   string
	Nodes  []struct {
		HTML           string
		Target         []any
		FailureSummary string
	}
}

func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s", v.ID, v.Impact, v.Help)
	for i, n := range v.Nodes {
		if i == 4 {
			fmt.Fprintf(&b, "\n  … and %d more", len(v.Nodes)-i)
			break
		}
		fmt.Fprintf(&b, "\n  %v %.200s\n    %s", n.Target, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " "))
	}
	return b.String()
}

// Axe checks the page with axe-core, whose script is given, against WCAG 2.2 AA and axe's best practices.
func (t *Tab) Axe(script string) []Violation {
	t.T.Helper()
	if !Eval[bool](t, "typeof axe === 'object'") {
		// The value of the last statement is axe itself, which cannot be sent back; the comma makes it true.
		Eval[bool](t, script+"\n; true")
	}
	return Eval[[]Violation](t, `axe.run(document, {
		resultTypes: ['violations'],
		runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']},
	}).then((r) => r.violations.map(({id, impact, help, nodes}) => ({id, impact, help, nodes:
		nodes.map(({html, target, failureSummary}) => ({html, target, failureSummary}))})))`)
}
