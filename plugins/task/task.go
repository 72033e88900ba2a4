package task

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"dorado/plugins/datasource"
	"dorado/plugins/form"
)

// Names of the settings that every task type has; their values come from the schema's fields of these names.
const (
	LocalParams  = "localParams"
	ResourceList = "resourceList"
)

// Plugin describes one type of task. Label and Help are message keys.
type Plugin struct {
	Type      string // stored in definitions; never renamed
	Category  string // group in the palette: universal, cloud, logic, …
	Icon      string // name of an icon in static
	Label     string
	Help      string
	Also      []string // older names of Type; definitions that hold one are read as if they held Type
	Aliases   []string // more words under which the palette finds it
	Retryable bool     // a failed attempt may be repeated
	Stream    bool     // its work has no end: runs of workflows pass it through, and people start it by itself
	Logic     bool     // the master itself carries it out: it has neither Process nor Run, and no worker gets it
	Handover  bool     // it has Run and works with files in its working directory, so FILE parameters make sense; with Process they do
	Foreign   bool     // definitions may hold it, but no worker of this version can run it: its settings are kept unread
	Schema    form.Schema

	// Sources are ids of data sources that settings name outside of fields of kind form.Source. May be nil.
	Sources func(form.Values) []int64
	// Measures says, for a task that measures something, which attempts measure the same. May be nil.
	Measures func(form.Values) Series
	// Check returns problems that one field alone does not show; it is called with values that passed the schema. May be
	// nil.
	Check func(form.Values) []form.Problem

	// Process returns the command that does the work.
	Process func(form.Values, Env) (Command, error)
	// Run does the work; it returns soon after ctx ends. An error is a failed attempt, its text is shown to the user.
	Run func(ctx context.Context, values form.Values, env Env) (Outcome, error)
}

// Env is what a plugin may know about the attempt it works for.
type Env struct {
	TaskInstanceID     int64
	WorkflowInstanceID int64
	TaskCode           int64 // of the task definition
	TaskName           string
	Tenant             string // the OS user as whom processes run
	Queue              string // of the tenant, for programs that submit to a cluster; "" for none
	Environment        string // lines of the chosen environment; processes get them by themselves
	Dir                string // working directory of the attempt, absolute; private to its tenant
	// Values are the parameters of the attempt, by name; Types their declared types (VARCHAR, INTEGER, …), "" where none is.
	Values map[string]string
	Types  map[string]string
	// Out are the OUT parameters that the task declares.
	Out []form.Param
	// Expand puts parameters and time expressions into a text, as it was done with every field that is not Literal. Dates
	// evaluates time expressions alone. nil in tests that need neither.
	Expand, Dates func(text string) (string, error)
	// Sources are the data sources that the settings name, by id.
	Sources map[int64]Source
	// Past is what earlier attempts of the series measured in its window. nil: the series has none, or the master is too old.
	Past *Past
	// Files says where a file of the resource center lies in the working directory, by the name in the settings.
	Files map[string]string
	// Link names the remote work of an earlier attempt of this task whose worker was lost: it may still go on. "" for none.
	Link string
	// Keep makes the name of remote work known, so that it is found again whatever happens to this worker. Call it before
	// the work is waited for. nil for Process.
	Keep func(link string) error
	Log  io.Writer // the attempt's log; nil for Process
}

// File returns where a file of the resource center lies, relative to the working directory.
func (e Env) File(name string) string {
	if path := e.Files[name]; path != "" {
		return path
	}
	return name
}

// Source returns the data source with this id. Its error names what is missing.
func (e Env) Source(id int64) (Source, error) {
	s, ok := e.Sources[id]
	if !ok {
		return s, fmt.Errorf("data source %d does not exist", id)
	}
	return s, nil
}

// ID is what DolphinScheduler calls the application of a task: the workflow instance and the task instance.
func (e Env) ID() string { return fmt.Sprintf("%d_%d", e.WorkflowInstanceID, e.TaskInstanceID) }

// Source is a data source as a task uses it, secrets included.
type Source struct {
	ID       int64
	Name     string
	Plugin   datasource.Plugin
	Settings datasource.Settings
}

// Series is what attempts have in common that measure the same.
type Series struct {
	Key string // of the settings; "" = nothing is measured
	// Window is the time in which earlier attempts count for one that begins now. nil: none are asked for.
	Window func(now time.Time) (from, to time.Time)
}

// Past sums up earlier attempts.
type Past struct {
	Count    int64
	Average  string // a decimal number; "" when there are none
	From, To time.Time
}

// Command is a program to be started for an attempt, in its working directory, with the attempt's environment.
type Command struct {
	// Interpreter lists programs in order of preference; the first one found in PATH runs Script.
	Interpreter []string
	// Launcher names an environment variable that overrides Interpreter when it is set; it may hold a program with
	// arguments. "" for none.
	Launcher string
	// Script is the text that the interpreter runs. It is handed over without being visible in the process list.
	Script string
	// File is the name under which Script is put into the working directory. "" leaves the way to the executor, which
	// avoids files.
	File string
	// Shell says that Script is text for a POSIX shell, so that environment lines may simply stand before it.
	Shell bool
	// Env is added to the environment of the child, as name=value.
	Env []string
	// Itself says that Script starts the program that this worker is: its path is in $DORADO_PROGRAM.
	Itself bool
	// Files are put into the working directory before the start, readable by the tenant alone.
	Files []File
	// Remote is work elsewhere that the command drives.
	Remote *Remote
}

// File is a file of a Command. Name lies in the working directory itself.
type File struct {
	Name string
	Text string
}

// Remote is work on a cluster that a command submits and that goes on when only the command is killed.
type Remote struct {
	// Pattern is a regular expression that finds identifiers in the log: the first group, or all of the match.
	Pattern string
	// Cancel is a shell script that ends the work. $DORADO_REMOTE_IDS are the identifiers, separated by blanks. It runs with
	// the environment of the command when the attempt is killed or runs into its timeout.
	Cancel string
	// Save is a shell script that has the work write down its state and go on, as Cancel is run; "" for work that cannot. Saved
	// is a regular expression that finds in what it prints where the state lies: the first group.
	Save, Saved string
	// Stays is work that goes on while its worker is away: only who kills the attempt ends it. The next attempt gets its
	// name as Env.Link and looks after it.
	Stays bool
}

// ErrLeave is the cause of a context that ends because the worker goes away. Remote work that was made known by Env.Keep shall
// then go on: the next attempt gets its name as Env.Link. With any other cause it is to be ended.
var ErrLeave = errors.New("the worker goes away")

// Outcome is what an in-process task leaves behind.
type Outcome struct {
	Out     map[string]string // values of OUT parameters by name; undeclared ones are dropped, but for those in Extra
	Extra   []form.Param      // further values for the tasks behind it, declared or not
	AppLink string            // identifiers of remote work, joined by commas
	Alert   *Alert            // something to tell people
	Killed  bool              // the remote work was ended by somebody else: the attempt counts as killed
	Result  json.RawMessage   // what pages of the task's own kind show; kept for a failed attempt, too
	Detail  json.RawMessage   // what is shown when one opens the result
	// Measured is the number that the series of the task gets, in decimal; "" for none. Without Result it is not kept.
	Measured string
}

// Alert is what a task itself tells an alert group.
type Alert struct {
	Group   int64  // id; 0 for that of the run
	Title   string // one line
	Content string // a JSON list of flat objects, which becomes a table
}

// Validate reports what makes p unusable as a plugin; a catalogue refuses such a value.
func (p Plugin) Validate() error {
	switch {
	case p.Type == "" || p.Category == "" || p.Icon == "" || p.Label == "" || p.Help == "":
		return fmt.Errorf("task: plugin %q: type, category, icon, label and help are required", p.Type)
	case p.Stream && (p.Logic || p.Retryable):
		return fmt.Errorf("task: plugin %q: a streaming task is neither a logic task nor repeated", p.Type)
	case p.Logic && (p.Process != nil || p.Run != nil):
		return fmt.Errorf("task: plugin %q: a logic task has neither Process nor Run", p.Type)
	case !p.Logic && (p.Process == nil) == (p.Run == nil):
		return fmt.Errorf("task: plugin %q: exactly one of Process and Run must be set", p.Type)
	}
	var problems []error
	seen := map[string]bool{}
	for _, f := range p.Schema {
		if f.Name == "" || f.Label == "" || seen[f.Name] {
			problems = append(problems, fmt.Errorf("task: plugin %q: field %q needs a unique name and a label", p.Type, f.Name))
		}
		seen[f.Name] = true
		if of, ok := p.Schema.Field(f.Of); f.Of != "" && (!ok || of.Type != form.Select) {
			problems = append(problems, fmt.Errorf("task: plugin %q: field %q asks %q for its type, which is no choice", p.Type, f.Name, f.Of))
		}
		for c := f.VisibleWhen; c != nil; c = c.And {
			if _, ok := p.Schema.Field(c.Field); !ok {
				problems = append(problems, fmt.Errorf("task: plugin %q: field %q depends on unknown %q", p.Type, f.Name, c.Field))
			}
		}
		if _, ok := p.Schema.Field(f.SameAs); f.SameAs != "" && !ok {
			problems = append(problems, fmt.Errorf("task: plugin %q: field %q is the same as unknown %q", p.Type, f.Name, f.SameAs))
		}
	}
	for name, kind := range map[string]form.Type{LocalParams: form.Params, ResourceList: form.Resources} {
		if (p.Logic || p.Foreign) && name == ResourceList {
			continue // there is no working directory to put files into
		}
		if f, ok := p.Schema.Field(name); !ok || f.Type != kind {
			problems = append(problems, fmt.Errorf("task: plugin %q: every task type has a field %q of kind %s", p.Type, name, kind))
		}
	}
	return errors.Join(problems...)
}

// Decode reads settings and returns them with everything that is wrong, Check included.
func (p Plugin) Decode(raw []byte) (form.Values, []form.Problem) {
	values, problems := form.Decode(p.Schema, raw)
	if len(problems) == 0 && p.Check != nil {
		problems = p.Check(values)
	}
	if len(problems) == 0 {
		problems = p.checkFiles(values)
	}
	return values, problems
}

// Description is a plugin as the browser reads it.
type Description struct {
	Type      string             `json:"type"`
	Category  string             `json:"category"`
	Label     string             `json:"label"`
	Help      string             `json:"help"`
	Icon      string             `json:"icon"`
	Aliases   []string           `json:"aliases"`
	Also      []string           `json:"also,omitempty"`
	Retryable bool               `json:"retryable"`
	Stream    bool               `json:"stream,omitempty"`
	Logic     bool               `json:"logic,omitempty"`
	Foreign   bool               `json:"foreign,omitempty"`
	Fields    []form.Description `json:"fields"`
}

// Describe returns p for the browser; translate turns a message key into text.
func (p Plugin) Describe(translate func(key string) string) Description {
	aliases := p.Aliases
	if aliases == nil {
		aliases = []string{}
	}
	return Description{
		Type: p.Type, Category: p.Category, Label: translate(p.Label), Help: translate(p.Help), Icon: p.Icon,
		Aliases: aliases, Also: p.Also, Retryable: p.Retryable, Stream: p.Stream, Logic: p.Logic, Foreign: p.Foreign, Fields: p.Schema.Describe(translate),
	}
}

// Keys lists every message key that p mentions.
func (p Plugin) Keys() []string {
	return append([]string{p.Label, p.Help}, p.Schema.Keys()...)
}

// SourceIDs lists the data sources that decoded settings name, without repetition. Fields that are not shown count for nothing.
func (p Plugin) SourceIDs(v form.Values) []int64 {
	var all []int64
	add := func(id int64) {
		if id > 0 && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	for _, f := range p.Schema {
		if f.Type == form.Source && p.Schema.Shown(f, v) {
			add(v.ID(f.Name))
		}
	}
	if p.Sources != nil {
		for _, id := range p.Sources(v) {
			add(id)
		}
	}
	return all
}
