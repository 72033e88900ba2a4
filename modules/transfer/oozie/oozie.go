package oozie

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"dorado/modules/flow"
	"dorado/modules/transfer/neutral"
)

// Read adds the applications of XML files to b. Properties files among the files give values to what the applications
// leave open.
func Read(b *neutral.Bundle, files []neutral.Entry) error {
	b.Is(neutral.Oozie)
	r := &reader{bundle: b, known: map[string]string{}, codes: map[string]int64{}, at: map[string]int{}}
	for _, f := range files {
		if f.Ext() == ".properties" {
			r.properties(string(f.Data))
		}
	}
	var coordinators []app
	for _, f := range files {
		if f.Ext() != ".xml" {
			if f.Ext() != ".properties" {
				r.note(neutral.Changed, f.Path, 0, "", "", "transfer.note.oozie_file", "name", f.Path)
			}
			continue
		}
		root, err := parse(f.Path, f.Data)
		if err != nil {
			return err
		}
		switch root.name {
		case "workflow-app":
			if err := r.workflow(f, root); err != nil {
				return err
			}
		case "coordinator-app":
			coordinators = append(coordinators, app{f, root})
		case "bundle-app":
			r.note(neutral.Changed, f.Path, root.line, root.attrs["name"], "", "transfer.note.oozie_bundle")
		default:
			r.note(neutral.Impossible, f.Path, root.line, "", "", "transfer.note.oozie_root", "name", root.name)
		}
	}
	for _, c := range coordinators {
		r.coordinator(c.file, c.root)
	}
	if len(r.at) == 0 && len(coordinators) == 0 {
		return neutral.Refuse("", 0, "no application")
	}
	r.link()
	return nil
}

type app struct {
	file neutral.Entry
	root *element
}

type reader struct {
	bundle *neutral.Bundle
	known  map[string]string // properties
	codes  map[string]int64  // of applications, by folder
	at     map[string]int    // in the bundle, by folder
	starts []start
}

// start is a sub-workflow action: which task of which workflow starts what.
type start struct {
	workflow int
	task     int
	path     string
}

func (r *reader) note(level neutral.Level, file string, line int, workflow, node, key string, args ...any) {
	r.bundle.Note(neutral.Note{Level: level, File: file, Line: line, Workflow: workflow, Node: node, Key: key, Args: args})
}

// properties reads job.properties: plain name=value lines.
func (r *reader) properties(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); !ok || name == "" || line[0] == '#' {
			continue
		}
		if len(value) < longest {
			r.known[name] = strings.TrimSpace(value)
		}
	}
}

// workflow reads a workflow-app.
func (r *reader) workflow(f neutral.Entry, root *element) error {
	w := &graph{
		reader: r, file: f.Path, nodes: map[string]*element{}, codes: map[string]int64{},
		def: &flow.Definition{Code: r.bundle.NewCode(), Name: r.resolved(root.attrs["name"]), ExecutionType: flow.Parallel},
	}
	if w.def.Name == "" {
		w.def.Name = path.Base(f.Dir())
	}
	var order []*element
	begin := ""
	for _, c := range root.children {
		switch c.name {
		case "start":
			begin = c.attrs["to"]
		case "action", "fork", "join", "decision", "end", "kill":
			name := c.attrs["name"]
			if w.nodes[name] != nil {
				return neutral.Refuse(f.Path, c.line, "two nodes are called "+strconv.Quote(name))
			}
			w.nodes[name] = c
			order = append(order, c)
		case "parameters", "global", "credentials":
		default:
			r.note(neutral.Impossible, f.Path, c.line, w.def.Name, c.name, "transfer.note.oozie_element", "name", c.name)
		}
	}
	w.global = root.child("global")
	w.build(begin, order)
	w.params(root)
	r.codes[f.Dir()] = w.def.Code
	r.at[f.Dir()] = len(r.bundle.Workflows)
	for _, s := range w.starts {
		r.starts = append(r.starts, start{len(r.bundle.Workflows), s.task, s.path})
	}
	r.bundle.Workflows = append(r.bundle.Workflows, neutral.Workflow{File: f.Path, Definition: w.def})
	return nil
}

// longest is where putting properties in ends: one may hold another, many times.
const longest = 1 << 16

// resolved puts known properties in, also those that stand in properties.
func (r *reader) resolved(text string) string {
	for range 5 {
		var out strings.Builder
		changed := false
		rest := text
		for {
			at := strings.Index(rest, "${")
			end := strings.IndexByte(rest[max(at, 0):], '}')
			if at < 0 || end < 0 {
				out.WriteString(rest)
				break
			}
			name := rest[at+2 : at+end]
			value, known := r.known[name]
			if !known {
				value = rest[at : at+end+1]
			}
			changed = changed || known
			out.WriteString(rest[:at])
			out.WriteString(value)
			if rest = rest[at+end+1:]; out.Len()+len(rest) > longest {
				return text
			}
		}
		if !changed {
			break
		}
		text = out.String()
	}
	return text
}

// link gives tasks that start an application its code: that of the folder that the path ends in.
func (r *reader) link() {
	for _, s := range r.starts {
		w := &r.bundle.Workflows[s.workflow]
		code := int64(0)
		want := strings.TrimSuffix(strings.TrimRight(r.resolved(s.path), "/"), "/workflow.xml")
		for _, dir := range slices.Sorted(maps.Keys(r.codes)) {
			if path.Base(want) == path.Base(dir) || r.bundle.Workflows[r.at[dir]].Name() == path.Base(want) {
				code = r.codes[dir]
				break
			}
		}
		if code == 0 {
			code = r.bundle.NewCode()
			r.bundle.Called(neutral.WorkflowRef, code, path.Base(want))
		}
		t := &w.Definition.Tasks[s.task]
		t.Type = flow.TypeSubWorkflow
		t.Params = []byte(`{"localParams":[],"workflowDefinitionCode":` + strconv.FormatInt(code, 10) + `}`)
	}
}

// names lists what stands between ${ and } and is a plain name.
func names(text string) []string {
	var out []string
	for rest := text; ; {
		at := strings.Index(rest, "${")
		if at < 0 {
			return out
		}
		rest = rest[at+2:]
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return out
		}
		if name := rest[:end]; name != "" && !strings.ContainsAny(name, "(){}$ \t\n'\"") {
			out = append(out, name)
		}
		rest = rest[end:]
	}
}
