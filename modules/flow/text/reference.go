package text

import (
	"strings"
	"unicode"

	"dorado/modules/flow"
)

// Kind says what a reference leads to.
type Kind int

// What texts refer to by name.
const (
	Project     Kind = iota + 1 // "finance"
	Workflow                    // "finance/nightly"
	Task                        // of any workflow: "finance/nightly/extract"
	Environment                 // "production"
	TaskGroup                   // "oracle"
	Calendar                    // "banking"
	AlertGroup                  // "operators"
	sibling                     // a task of the same workflow
)

// Resolver knows the names of what a workflow refers to. What it does not know is written, and read, as a number.
type Resolver interface {
	// Name returns how a text calls what the code stands for.
	Name(kind Kind, code int64) (string, bool)
	// Code is the other way round.
	Code(kind Kind, name string) (int64, bool)
}

// references says which members of a task's parameters hold codes.
func references(taskType string) map[string]Kind {
	switch taskType {
	case "CONDITIONS":
		return map[string]Kind{"successNode": sibling, "failedNode": sibling, "depTaskCode": sibling}
	case "SWITCH":
		return map[string]Kind{"nextNode": sibling}
	case "SUB_WORKFLOW", "SUB_PROCESS", "DYNAMIC", "FOR_EACH":
		return map[string]Kind{"workflowDefinitionCode": Workflow, "processDefinitionCode": Workflow}
	case "DEPENDENT":
		return map[string]Kind{"projectCode": Project, "definitionCode": Workflow, "depTaskCode": Task}
	default:
		return nil
	}
}

// names is a Resolver that also knows the tasks of one workflow.
type names struct {
	outside Resolver
	byCode  map[int64]string
	byName  map[string]int64
}

func namesOf(def *flow.Definition, outside Resolver) *names {
	n := &names{outside: outside, byCode: make(map[int64]string, len(def.Tasks)), byName: make(map[string]int64, len(def.Tasks))}
	for i := range def.Tasks {
		t := &def.Tasks[i]
		if _, twice := n.byName[t.Name]; twice || t.Name == "" || digits(t.Name) {
			continue
		}
		n.byName[t.Name], n.byCode[t.Code] = t.Code, t.Name
	}
	return n
}

// name returns what to write for a code: a name only when it is read back as the same code.
func (n *names) name(kind Kind, code int64) (string, bool) {
	if kind == sibling {
		name, ok := n.byCode[code]
		return name, ok
	}
	if n.outside == nil || code <= 0 {
		return "", false
	}
	name, ok := n.outside.Name(kind, code)
	if !ok || name == "" || digits(name) {
		return "", false
	}
	back, ok := n.outside.Code(kind, name)
	return name, ok && back == code
}

func (n *names) code(kind Kind, name string) (int64, bool) {
	if kind == sibling {
		code, ok := n.byName[name]
		return code, ok
	}
	if n.outside == nil {
		return 0, false
	}
	return n.outside.Code(kind, name)
}

// digits reports whether a text could be taken for a code.
func digits(s string) bool {
	return strings.TrimLeft(s, "-") != "" && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsDigit(r) && r != '-' })
}
