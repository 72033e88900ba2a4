package oozie

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"dorado/modules/flow"
	"dorado/modules/transfer/crontab"
	"dorado/modules/transfer/neutral"
)

// graph turns the nodes of one application into tasks and edges.
type graph struct {
	*reader
	file   string
	def    *flow.Definition
	nodes  map[string]*element
	codes  map[string]int64 // of tasks, by the name of the node
	joins  map[string][]int64
	edges  map[[2]int64]bool
	global *element
	starts []start
}

// build makes a task of every action and decision that can be reached, and the edges between them.
func (g *graph) build(begin string, order []*element) {
	g.edges, g.joins = map[[2]int64]bool{}, map[string][]int64{}
	reached := g.reach(begin)
	for _, n := range order {
		name := n.attrs["name"]
		if !reached[name] || n.name != "action" && n.name != "decision" {
			if n.name == "action" {
				g.say(neutral.Changed, n, "transfer.note.oozie_unreached")
			}
			continue
		}
		t := neutral.DefaultTask()
		t.Name, t.Code = name, g.bundle.NewCode()
		g.codes[name] = t.Code
		g.def.Tasks = append(g.def.Tasks, t)
	}
	for i := range g.def.Tasks {
		n := g.nodes[g.def.Tasks[i].Name]
		if n.name == "action" {
			g.action(i, n)
		}
	}
	// Ways out come after all actions, since they may add tasks.
	for _, n := range order {
		code := g.codes[n.attrs["name"]]
		switch {
		case code == 0:
		case n.name == "action":
			g.after(n, code)
		default:
			g.decision(n)
		}
	}
	for name, from := range g.joins {
		for _, to := range g.targets(g.nodes[name].attrs["to"], map[string]bool{name: true}) {
			for _, code := range from {
				g.edge(code, to)
			}
		}
	}
	slices.SortFunc(g.def.Edges, func(a, b flow.Edge) int {
		if a.Pre != b.Pre {
			return int(a.Pre - b.Pre)
		}
		return int(a.Post - b.Post)
	})
}

func (g *graph) say(level neutral.Level, n *element, key string, args ...any) {
	g.note(level, g.file, n.line, g.def.Name, n.attrs["name"], key, args...)
}

// ways are the nodes that may follow a node.
func ways(n *element) []string {
	switch n.name {
	case "action":
		return []string{n.child("ok").attrs["to"], n.child("error").attrs["to"]}
	case "fork":
		var out []string
		for _, p := range n.all("path") {
			out = append(out, p.attrs["start"])
		}
		return out
	case "join":
		return []string{n.attrs["to"]}
	case "decision":
		var out []string
		for _, c := range n.child("switch").children {
			out = append(out, c.attrs["to"])
		}
		return out
	}
	return nil
}

func (g *graph) reach(begin string) map[string]bool {
	seen := map[string]bool{}
	todo := []string{begin}
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := g.nodes[name]
		if n == nil {
			if name != "" && !seen[name] {
				g.note(neutral.Impossible, g.file, 0, g.def.Name, name, "transfer.note.oozie_missing", "name", name)
			}
			seen[name] = true
			continue
		}
		if !seen[name] {
			seen[name] = true
			todo = append(todo, ways(n)...)
		}
	}
	return seen
}

// targets are the tasks that a way leads to, through forks. A join is left for later: it waits for all that lead to it.
func (g *graph) targets(name string, seen map[string]bool) []int64 {
	if seen[name] {
		return nil
	}
	seen[name] = true
	n := g.nodes[name]
	if n == nil {
		return nil
	}
	switch n.name {
	case "action", "decision":
		return []int64{g.codes[name]}
	case "fork", "join":
		var out []int64
		for _, way := range ways(n) {
			out = append(out, g.targets(way, seen)...)
		}
		return out
	}
	return nil
}

func (g *graph) edge(pre, post int64) {
	if pre != 0 && post != 0 && pre != post && !g.edges[[2]int64{pre, post}] {
		g.edges[[2]int64{pre, post}] = true
		g.def.Edges = append(g.def.Edges, flow.Edge{Pre: pre, Post: post})
	}
}

// fails reports whether a way ends the run as a failure.
func (g *graph) fails(name string) bool {
	n := g.nodes[name]
	return n == nil || n.name == "kill"
}

// after adds what follows an action. An error that leads on needs a task that chooses.
func (g *graph) after(n *element, code int64) {
	good, bad := n.child("ok").attrs["to"], n.child("error").attrs["to"]
	if g.fails(bad) {
		for _, to := range g.follow(code, good) {
			g.edge(code, to)
		}
		return
	}
	if good == bad {
		g.say(neutral.Changed, n, "transfer.note.oozie_error_ignored")
	}
	name := n.attrs["name"]
	choice := neutral.DefaultTask()
	choice.Name, choice.Type, choice.Code = name+"_outcome", flow.TypeConditions, g.bundle.NewCode()
	g.edge(code, choice.Code)
	at := len(g.def.Tasks)
	g.def.Tasks = append(g.def.Tasks, choice)
	yes, no := g.branch(name+"_ok", choice.Code, good), g.branch(name+"_error", choice.Code, bad)
	g.def.Tasks[at].Params = []byte(`{"localParams":[],"dependence":{"relation":"AND","dependTaskList":[{"relation":"AND","dependItemList":[{"depTaskCode":` +
		strconv.FormatInt(code, 10) + `,"status":"SUCCESS"}]}]},"conditionResult":{"successNode":[` + strconv.FormatInt(yes, 10) +
		`],"failedNode":[` + strconv.FormatInt(no, 10) + `]}}`)
	g.say(neutral.Translated, n, "transfer.note.oozie_error", "name", bad)
}

// branch adds a task that does nothing and begins a way: what both ways lead to must be told apart, and a way that leads
// to the end needs something to take.
func (g *graph) branch(name string, from int64, way string) int64 {
	t := neutral.DefaultTask()
	t.Name, t.Type, t.Code, t.Params = name, "SHELL", g.bundle.NewCode(), crontab.Shell(":\n")
	g.def.Tasks = append(g.def.Tasks, t)
	g.edge(from, t.Code)
	for _, to := range g.follow(t.Code, way) {
		g.edge(t.Code, to)
	}
	return t.Code
}

// follow is targets for a way that a task takes: what leads to a join is remembered there.
func (g *graph) follow(code int64, way string) []int64 {
	n := g.nodes[way]
	if n != nil && n.name == "join" {
		g.joins[way] = append(g.joins[way], code)
		return nil
	}
	return g.targets(way, map[string]bool{})
}

// decision becomes a SWITCH task.
func (g *graph) decision(n *element) {
	code := g.codes[n.attrs["name"]]
	at := slices.IndexFunc(g.def.Tasks, func(t flow.Task) bool { return t.Code == code })
	type branch struct {
		Condition string `json:"condition"`
		Next      int64  `json:"nextNode"`
	}
	var cases []branch
	fallback := int64(0)
	for i, c := range n.child("switch").children {
		name := n.attrs["name"] + "_" + strconv.Itoa(i+1)
		if c.name == "default" {
			fallback = g.branch(n.attrs["name"]+"_default", code, c.attrs["to"])
			continue
		}
		condition, ok := predicate(c.text)
		if !ok {
			g.say(neutral.Impossible, n, "transfer.note.oozie_predicate", "text", c.text)
		}
		cases = append(cases, branch{condition, g.branch(name, code, c.attrs["to"])})
	}
	if fallback == 0 {
		fallback = g.branch(n.attrs["name"]+"_default", code, "")
	}
	if cases == nil {
		cases = []branch{}
	}
	raw, err := json.Marshal(cases)
	if err != nil { // never: texts and numbers can always be written
		raw = []byte("[]")
	}
	g.def.Tasks[at].Type = flow.TypeSwitch
	g.def.Tasks[at].Params = []byte(`{"localParams":[],"switchResult":{"dependTaskList":` + string(raw) + `,"nextNode":` + strconv.FormatInt(fallback, 10) + `}}`)
	g.say(neutral.Translated, n, "transfer.note.oozie_decision")
}

// predicate turns an EL expression into one of a SWITCH task: comparisons of parameters, numbers and texts, joined by and,
// or and not. Others become false.
func predicate(el string) (string, bool) {
	el = strings.TrimSpace(el)
	inner, opened := strings.CutPrefix(el, "${")
	inner, closed := strings.CutSuffix(inner, "}")
	if !opened || !closed || strings.Contains(inner, "${") {
		return "false", false
	}
	var out []string
	for _, word := range words(inner) {
		switch word {
		case "eq", "==":
			out = append(out, "==")
		case "ne", "!=":
			out = append(out, "!=")
		case "gt", ">":
			out = append(out, ">")
		case "lt", "<":
			out = append(out, "<")
		case "ge", ">=":
			out = append(out, ">=")
		case "le", "<=":
			out = append(out, "<=")
		case "and", "&&":
			out = append(out, "&&")
		case "or", "||":
			out = append(out, "||")
		case "not", "!":
			out = append(out, "!")
		case "true", "false", "(", ")":
			out = append(out, word)
		default:
			value, ok := operand(word)
			if !ok {
				return "false", false
			}
			out = append(out, value)
		}
	}
	if len(out) == 0 {
		return "false", false
	}
	return strings.Join(out, " "), true
}

// operand turns a number, a text, a parameter or wf:conf('name') into one of JavaScript.
func operand(word string) (string, bool) {
	if _, err := strconv.ParseFloat(word, 64); err == nil {
		return word, true
	}
	if len(word) >= 2 && word[0] == '\'' && word[len(word)-1] == '\'' {
		return string(neutral.Quote(word[1 : len(word)-1])), true
	}
	if name, ok := strings.CutPrefix(word, "wf:conf('"); ok {
		name, ok = strings.CutSuffix(name, "')")
		return "${" + name + "}", ok && identifier(name)
	}
	return "${" + word + "}", identifier(word)
}

func identifier(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c != '_' && c != '.' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) && (s[0] < '0' || s[0] > '9')
}

// words cuts an expression at blanks and signs, texts and calls kept whole.
func words(s string) []string {
	var out []string
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case strings.HasPrefix(s[i:], "wf:conf("):
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				return append(out, s[i:])
			}
			out = append(out, strings.ReplaceAll(s[i:i+end+1], `"`, "'"))
			i += end + 1
		case c == '\'' || c == '"':
			end := strings.IndexByte(s[i+1:], c)
			if end < 0 {
				return append(out, s[i:])
			}
			out = append(out, "'"+s[i+1:i+1+end]+"'")
			i += end + 2
		case strings.IndexByte("()", c) >= 0:
			out = append(out, string(c))
			i++
		case strings.IndexByte("=!<>&|", c) >= 0:
			end := i + 1
			for end < len(s) && strings.IndexByte("=&|", s[end]) >= 0 {
				end++
			}
			out = append(out, s[i:end])
			i = end
		default:
			end := i
			for end < len(s) && strings.IndexByte(" \t\r\n()=!<>&|'\"", s[end]) < 0 {
				end++
			}
			out = append(out, s[i:end])
			i = end
		}
	}
	return out
}
