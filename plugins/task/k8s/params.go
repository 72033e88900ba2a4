package k8s

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// params are the settings of a K8S task.
type params struct {
	source        int64
	image         string
	pull, secret  string
	command, args []string
	cpu, memory   float64 // cores, Mi
	labels        map[string]string
	nodes         []requirement
	declared      []form.Param
}

// requirement is one condition that a node has to meet, in the words of Kubernetes.
type requirement struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Values   []string `json:"values,omitempty"`
}

// read takes settings whose placeholders are replaced.
func read(v form.Values) (params, error) {
	p := params{
		source: v.ID(fieldSource), image: strings.TrimSpace(v.Text(fieldImage)), pull: v.Text(fieldPull), secret: strings.TrimSpace(v.Text(fieldSecret)),
		cpu: v.Number(fieldCPU), memory: v.Number(fieldMemory), labels: map[string]string{}, declared: v.Params(task.LocalParams),
	}
	var err error
	if p.command, err = words(v.Text(fieldCommand)); err != nil {
		return p, fmt.Errorf("the command %w", err)
	}
	if p.args, err = words(v.Text(fieldArgs)); err != nil {
		return p, fmt.Errorf("the arguments %w", err)
	}
	for _, row := range v.Rows(fieldLabels) {
		p.labels[strings.TrimSpace(row["label"])] = strings.TrimSpace(row["value"])
	}
	for _, row := range v.Rows(fieldNodes) {
		r, _ := node(row)
		p.nodes = append(p.nodes, r)
	}
	return p, nil
}

// errList is what is wrong with a command that cannot be read.
var errList = errors.New(`must be a YAML list of texts, such as ["sh","-c"]`)

// words reads a YAML list. Numbers and the like count as the text they are written as.
func words(text string) ([]string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.SequenceNode {
		return nil, errList
	}
	all := make([]string, 0, len(doc.Content[0].Content))
	for _, n := range doc.Content[0].Content {
		switch {
		case n.Kind != yaml.ScalarNode:
			return nil, errList
		case n.Tag == "!!null":
			all = append(all, "")
		default:
			all = append(all, n.Value)
		}
	}
	return all, nil
}

// node reads one row of the node selectors; ok says that Kubernetes would take it.
func node(row form.Row) (r requirement, ok bool) {
	r = requirement{Key: strings.TrimSpace(row["key"]), Operator: row["operator"]}
	if r.Operator != "Exists" && r.Operator != "DoesNotExist" {
		for value := range strings.SplitSeq(row["values"], ",") {
			if value = strings.TrimSpace(value); value != "" {
				r.Values = append(r.Values, value)
			}
		}
	}
	switch r.Operator {
	case "Exists", "DoesNotExist":
		return r, r.Key != ""
	case "In", "NotIn":
		return r, r.Key != "" && len(r.Values) > 0
	case "Gt", "Lt":
		if len(r.Values) != 1 {
			return r, false
		}
		_, err := strconv.ParseInt(r.Values[0], 10, 64)
		return r, r.Key != "" && (err == nil || hasPlaceholder(r.Values[0]))
	}
	return r, false
}

// hasPlaceholder says that a text is another one when the task runs, so that there is no use in judging it before.
func hasPlaceholder(text string) bool {
	return strings.Contains(text, "${") || strings.Contains(text, "$[")
}

// check finds what the schema does not see.
func check(v form.Values) []form.Problem {
	var problems []form.Problem
	if v.ID("datasource") == 0 && v.Text(fieldNamespace) == "" {
		problems = append(problems, form.Problem{Field: "datasource", Key: "form.required"})
	}
	for _, name := range []string{fieldCommand, fieldArgs} {
		if text := v.Text(name); !hasPlaceholder(text) {
			if _, err := words(text); err != nil {
				problems = append(problems, form.Problem{Field: name, Key: "task.k8s.error.list"})
			}
		}
	}
	for _, row := range v.Rows(fieldLabels) {
		if strings.TrimSpace(row["label"]) == "" {
			problems = append(problems, form.Problem{Field: fieldLabels, Key: "task.k8s.error.label"})
			break
		}
	}
	for i, row := range v.Rows(fieldNodes) {
		if _, ok := node(row); !ok {
			problems = append(problems, form.Problem{Field: fieldNodes, Key: "task.k8s.error.node", Args: []any{"row", i + 1}})
			break
		}
	}
	return problems
}
