package azkaban

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"dorado/modules/flow"
	"dorado/modules/transfer/crontab"
	"dorado/modules/transfer/neutral"
)

// Is reports whether a file is one of Azkaban's by its name.
func Is(e neutral.Entry) bool {
	switch e.Ext() {
	case ".job", ".flow", ".project":
		return true
	}
	return false
}

// Read adds the flows of a project to b. Files that are none of Azkaban's are named in the report: jobs may need them.
func Read(b *neutral.Bundle, files []neutral.Entry) error {
	b.Is(neutral.Azkaban)
	p := &project{bundle: b, shared: map[string]*props{}}
	for _, f := range files {
		switch f.Ext() {
		case ".properties":
			p.share(f)
		case ".job":
			p.job(f)
		case ".flow":
			if err := p.flow(f); err != nil {
				return err
			}
		case ".project":
		default:
			p.note(neutral.Changed, f.Path, 0, "", "", "transfer.note.azkaban_file", "name", f.Path)
		}
	}
	if err := p.classic(); err != nil {
		return err
	}
	if len(p.flows) == 0 {
		return neutral.Refuse("", 0, "no job and no flow")
	}
	p.write()
	return nil
}

// project is what was read before it becomes workflows.
type project struct {
	bundle *neutral.Bundle
	shared map[string]*props // of .properties files, by folder
	jobs   []*job            // of .job files
	flows  []*azFlow
}

// job is a node of a flow.
type job struct {
	name, kind, file string
	line             int
	props            *props
	after            []string
	condition        string
	inner            *azFlow // of a flow within a flow
}

// azFlow is a flow: its jobs by name, and what all of them know.
type azFlow struct {
	name, file string
	jobs       []*job
	params     *props
	schedules  []neutral.Schedule
	code       int64
}

func (p *project) note(level neutral.Level, file string, line int, workflow, node, key string, args ...any) {
	p.bundle.Note(neutral.Note{Level: level, File: file, Line: line, Workflow: workflow, Node: node, Key: key, Args: args})
}

func (p *project) share(f neutral.Entry) {
	all := p.shared[f.Dir()]
	if all == nil {
		all = newProps()
		p.shared[f.Dir()] = all
	}
	read := parseProps(f.Data)
	for _, key := range read.keys {
		all.set(key, read.values[key], read.lines[key])
	}
}

func (p *project) job(f neutral.Entry) {
	props := parseProps(f.Data)
	j := &job{name: strings.TrimSuffix(f.Base(), path.Ext(f.Base())), kind: strings.ToLower(props.get("type")), file: f.Path, line: 1, props: props}
	for name := range strings.SplitSeq(props.get("dependencies"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			j.after = append(j.after, name)
		}
	}
	p.jobs = append(p.jobs, j)
}

// inherited are the properties that a job of a folder sees: those of its folder and of all above, the nearest first.
func (p *project) inherited(dir string) *props {
	out := newProps()
	for {
		if found := p.shared[dir]; found != nil {
			for _, key := range found.keys {
				if _, known := out.values[key]; !known {
					out.set(key, found.values[key], found.lines[key])
				}
			}
		}
		if dir == "." || dir == "/" {
			return out
		}
		dir = path.Dir(dir)
	}
}

// maxTasks is how many tasks all flows of a project may have together: a job is in each flow whose end waits for it.
const maxTasks = 50_000

// classic makes flows of .job files: a job that nobody waits for ends one, which holds all before it.
func (p *project) classic() error {
	byName := map[string]*job{}
	slices.SortStableFunc(p.jobs, func(a, b *job) int { return strings.Compare(a.file, b.file) })
	for _, j := range p.jobs {
		if other, twice := byName[j.name]; twice {
			p.note(neutral.Impossible, j.file, 0, "", j.name, "transfer.note.azkaban_job_twice", "other", other.file)
			continue
		}
		byName[j.name] = j
	}
	awaited := map[string]bool{}
	for _, j := range byName {
		for _, name := range j.after {
			awaited[name] = true
		}
	}
	total := 0
	for _, end := range p.jobs {
		if byName[end.name] != end || awaited[end.name] {
			continue
		}
		f := &azFlow{name: end.name, file: end.file, params: p.inherited(path.Dir(end.file))}
		seen := map[string]bool{}
		collect(f, end, byName, seen)
		if total += len(f.jobs); total > maxTasks {
			return neutral.ErrTooMany.With("limit", maxTasks)
		}
		p.flows = append(p.flows, f)
	}
	if len(p.flows) == 0 && len(p.jobs) > 0 { // everything waits for something: a ring, which is said later
		f := &azFlow{name: p.jobs[0].name, file: p.jobs[0].file, params: p.inherited(path.Dir(p.jobs[0].file)), jobs: p.jobs}
		p.flows = append(p.flows, f)
	}
	return nil
}

// collect adds a job and all before it, those first.
func collect(f *azFlow, end *job, byName map[string]*job, seen map[string]bool) {
	todo := []*job{end}
	for len(todo) > 0 {
		j := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[j.name] {
			continue
		}
		seen[j.name] = true
		f.jobs = append(f.jobs, j)
		for _, name := range j.after {
			if before := byName[name]; before != nil {
				todo = append(todo, before)
			}
		}
	}
	slices.Reverse(f.jobs)
}

// write turns flows into workflows. Every flow has its code first, since jobs start flows by name.
func (p *project) write() {
	byName := map[string]*azFlow{}
	var all []*azFlow
	var add func(f *azFlow)
	add = func(f *azFlow) {
		f.code = p.bundle.NewCode()
		all = append(all, f)
		if byName[f.name] == nil {
			byName[f.name] = f
		}
		for _, j := range f.jobs {
			if j.inner != nil {
				add(j.inner)
			}
		}
	}
	for _, f := range p.flows {
		add(f)
	}
	for _, f := range all {
		p.workflow(f, byName)
	}
}

func (p *project) workflow(f *azFlow, byName map[string]*azFlow) {
	d := &flow.Definition{Code: f.code, Name: f.name, ExecutionType: flow.Parallel}
	codes := map[string]int64{}
	var texts []string
	for _, j := range f.jobs {
		t := p.task(f, j, byName)
		t.Code = p.bundle.NewCode()
		codes[j.name] = t.Code
		texts = append(texts, string(t.Params))
		d.Tasks = append(d.Tasks, t)
	}
	for i, j := range f.jobs {
		for _, name := range j.after {
			pre, known := codes[name]
			if !known {
				p.note(neutral.Impossible, j.file, j.line, f.name, j.name, "transfer.note.pre_unknown", "name", name)
				continue
			}
			d.Edges = append(d.Edges, flow.Edge{Pre: pre, Post: d.Tasks[i].Code})
		}
	}
	d.GlobalParams = p.params(f, texts)
	p.bundle.Workflows = append(p.bundle.Workflows, neutral.Workflow{File: f.file, Definition: d, Schedules: f.schedules})
}

// params are the shared properties that some task mentions, with those that they mention themselves.
func (p *project) params(f *azFlow, texts []string) []flow.Property {
	wanted := mentioned(texts...)
	var out []flow.Property
	seen := map[string]bool{}
	for len(wanted) > 0 {
		name := wanted[0]
		wanted = wanted[1:]
		value, known := f.params.values[name]
		if seen[name] || !known {
			if strings.HasPrefix(name, "azkaban.") && !seen[name] {
				p.note(neutral.Impossible, f.file, 0, f.name, "", "transfer.note.azkaban_runtime", "name", name)
			}
			seen[name] = true
			continue
		}
		seen[name] = true
		out = append(out, flow.Property{Prop: name, Direct: flow.In, Type: flow.Varchar, Value: value})
		wanted = append(wanted, mentioned(value)...)
	}
	return out
}

// task turns a job into a task.
func (p *project) task(f *azFlow, j *job, byName map[string]*azFlow) flow.Task {
	t := neutral.DefaultTask()
	t.Name, t.Type = j.name, "SHELL"
	note := func(level neutral.Level, key string, args ...any) {
		p.note(level, j.file, j.line, f.name, j.name, key, args...)
	}
	p.retries(&t, j, note)
	for _, key := range j.props.keys {
		if strings.HasSuffix(key, ".emails") || key == "notify.emails" {
			note(neutral.Impossible, "transfer.note.mail", "name", j.props.get(key))
		}
	}
	if j.condition != "" && j.condition != "all_success" {
		note(neutral.Impossible, "transfer.note.azkaban_condition", "text", j.condition)
	}
	switch {
	case j.inner != nil:
		startFlow(&t, j.inner.code)
		note(neutral.Translated, "transfer.note.sub_workflow", "name", j.inner.name)
	case j.kind == "flow":
		name := j.props.get("flow.name")
		code := int64(0)
		if inner := byName[name]; inner != nil {
			code = inner.code
		} else {
			code = p.bundle.NewCode()
			p.bundle.Called(neutral.WorkflowRef, code, name)
		}
		startFlow(&t, code)
		note(neutral.Translated, "transfer.note.sub_workflow", "name", name)
	case j.kind == "command" || j.kind == "gobblin" && j.props.get("command") != "":
		t.Params = crontab.Shell(script(j))
	case j.kind == "noop" || j.kind == "" && j.props.get("command") == "":
		t.Params = crontab.Shell(":\n")
		note(neutral.Translated, "transfer.note.azkaban_noop")
	case j.kind == "javaprocess" || j.kind == "java" && j.props.get("java.class") != "":
		t.Params = crontab.Shell(java(j))
		note(neutral.Changed, "transfer.note.azkaban_java")
	default:
		t.Params = crontab.Shell("echo " + quote("Azkaban jobs of type "+j.kind+" have no counterpart here: replace this task") + " >&2\nexit 1\n")
		note(neutral.Impossible, "transfer.note.azkaban_type", "type", j.kind)
	}
	return t
}

func startFlow(t *flow.Task, code int64) {
	t.Type = flow.TypeSubWorkflow
	t.Params = []byte(`{"localParams":[],"workflowDefinitionCode":` + strconv.FormatInt(code, 10) + `}`)
}

// retries reads how often a job is repeated and how long it waits: milliseconds there, minutes here.
func (p *project) retries(t *flow.Task, j *job, note func(neutral.Level, string, ...any)) {
	if n, err := strconv.Atoi(j.props.get("retries")); err == nil {
		t.RetryTimes = max(0, min(n, flow.MaxRetryTimes))
	}
	wait, err := strconv.ParseInt(j.props.get("retry.backoff"), 10, 64)
	if err != nil || wait < 0 {
		return
	}
	const minute = 60_000
	t.RetryInterval = int(min((wait+minute-1)/minute, flow.MaxMinutes))
	if wait%minute != 0 {
		note(neutral.Changed, "transfer.note.rounded", "from", strconv.FormatInt(wait, 10)+" ms", "to", strconv.Itoa(t.RetryInterval)+" min")
	}
}

// script is what a job of type command does: its commands one after the other until one fails.
func script(j *job) string {
	var out strings.Builder
	out.WriteString("set -e\n")
	surroundings(&out, j)
	if c := j.props.get("command"); c != "" {
		out.WriteString(c + "\n")
	}
	for n := 1; ; n++ {
		c, ok := j.props.values["command."+strconv.Itoa(n)]
		if !ok {
			return out.String()
		}
		out.WriteString(strings.TrimSpace(c) + "\n")
	}
}

func surroundings(out *strings.Builder, j *job) {
	if dir := j.props.get("working.dir"); dir != "" {
		out.WriteString("cd " + word(dir) + "\n")
	}
	for _, key := range j.props.keys {
		if name, ok := strings.CutPrefix(key, "env."); ok && variable(name) {
			out.WriteString("export " + name + "=" + word(j.props.get(key)) + "\n")
		}
	}
}

func variable(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) && (name[0] < '0' || name[0] > '9')
}

func java(j *job) string {
	var out strings.Builder
	out.WriteString("set -e\n")
	surroundings(&out, j)
	words := []string{"java"}
	for key, option := range map[string]string{"Xms": "-Xms", "Xmx": "-Xmx"} {
		if v := j.props.get(key); v != "" {
			words = append(words, option+v)
		}
	}
	slices.Sort(words[1:])
	if v := j.props.get("jvm.args"); v != "" {
		words = append(words, v)
	}
	if v := j.props.get("classpath"); v != "" {
		words = append(words, "-cp", word(strings.ReplaceAll(v, ",", ":")))
	}
	words = append(words, j.props.get("java.class"))
	if v := j.props.get("main.args"); v != "" {
		words = append(words, v)
	}
	out.WriteString(strings.Join(words, " ") + "\n")
	return out.String()
}

// word makes one word of a shell in which ${parameters} still stand.
func word(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`").Replace(s) + `"`
}

// quote makes one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
