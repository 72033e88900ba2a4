package neutral

import (
	"strconv"
	"strings"

	"dorado/app/kit/fault"
	"dorado/modules/flow"
)

// Format says what a file was recognised as.
type Format string

// The formats.
const (
	DS13    Format = "ds-1.3"  // DolphinScheduler 1.x: processDefinitionJson
	DS2     Format = "ds-2"    // 2.0 to 3.2: processDefinition
	DS3     Format = "ds-3"    // 3.3: workflowDefinition
	DSForm  Format = "ds-form" // what clients post to create a workflow
	SQLZip  Format = "sql-zip"
	YAML    Format = "yaml" // ours
	Azkaban Format = "azkaban"
	Oozie   Format = "oozie"
	Crontab Format = "crontab"
	Mixed   Format = "mixed"
)

// Bundle is what was read.
type Bundle struct {
	Format    Format
	Workflows []Workflow
	Notes     []Note
	// Names tells what the file calls things that it mentions by number.
	Names map[Ref]string
	last  int64
}

// Workflow is one workflow of a file.
type Workflow struct {
	File    string // where it stood
	Project string // name of the project, where the file tells it
	// Definition is nil for a text of ours, which only the service can read.
	Definition *flow.Definition
	Text       string
	Schedules  []Schedule
	// Broken says that the report holds something that keeps this workflow from being imported.
	Broken bool
}

// Name is how the workflow is called.
func (w *Workflow) Name() string {
	if w.Definition == nil {
		return w.File
	}
	return w.Definition.Name
}

// Schedule starts a workflow by the clock. Empty fields are for the importing side to fill.
type Schedule struct {
	Name            string
	Start, End      string // wall-clock times in Zone, 2006-01-02 15:04:05
	Zone            string // IANA name
	Crontab         string // as Quartz writes it
	FailureStrategy string
	WarningType     string
	WarningGroup    int64
	Priority        string
	WorkerGroup     string
	Tenant          string
	Environment     int64
	// The rest is ours.
	Misfire        string
	Calendar       int64
	CalendarPolicy string
	DoneBy         string
	StartParams    []flow.Property
}

// Kind says what a reference leads to.
type Kind string

// What workflows refer to.
const (
	Project     Kind = "project"
	WorkflowRef Kind = "workflow"
	Task        Kind = "task"
	Environment Kind = "environment"
	WorkerGroup Kind = "worker_group"
	Tenant      Kind = "tenant"
	TaskGroup   Kind = "task_group"
	AlertGroup  Kind = "alert_group"
	DataSource  Kind = "datasource"
	Resource    Kind = "resource"
)

// Kinds lists all, in the order of a report.
func Kinds() []Kind {
	return []Kind{Project, WorkflowRef, Task, Environment, WorkerGroup, Tenant, TaskGroup, AlertGroup, DataSource, Resource}
}

// Ref is one thing that a file refers to: by its name, or by the number it had where the file comes from.
type Ref struct {
	Kind  Kind
	Value string
}

// UnnamedPrefix begins what stands for a thing of which a file tells only the number.
const UnnamedPrefix = "id:"

// Unnamed reports whether the file tells only the number of what the reference leads to.
func (r Ref) Unnamed() bool { return strings.HasPrefix(r.Value, UnnamedPrefix) }

// Key is the reference as one text.
func (r Ref) Key() string { return string(r.Kind) + ":" + r.Value }

// Level says what became of something in a file.
type Level string

// The levels.
const (
	Translated Level = "translated" // says the same in another way
	Changed    Level = "changed"    // says something else now
	Impossible Level = "impossible" // is left out, or keeps the workflow from being imported
)

// Note is a line of the report. Key is a message key, Args alternating names and values for it.
type Note struct {
	Level    Level
	File     string
	Line     int // 0: unknown
	Workflow string
	Node     string // task, action or job
	Key      string
	Args     []any
}

// maxNotes is where a report ends: nobody reads more.
const maxNotes = 2000

// Note adds a line to the report.
func (b *Bundle) Note(n Note) {
	if len(b.Notes) < maxNotes {
		b.Notes = append(b.Notes, n)
	}
}

// Called remembers what the file calls a thing that it mentions by number.
func (b *Bundle) Called(kind Kind, code int64, name string) {
	if name == "" {
		return
	}
	if b.Names == nil {
		b.Names = map[Ref]string{}
	}
	b.Names[Ref{kind, strconv.FormatInt(code, 10)}] = name
}

// firstCode is where the numbers begin that stand for names: above those that people write by hand, and below the codes of
// anything in a database, which do not fit 32 bits.
const firstCode = 1 << 30

// NewCode gives a number to something that has only a name in the file.
func (b *Bundle) NewCode() int64 {
	b.last++
	return firstCode + b.last
}

// Is marks the format of one more file.
func (b *Bundle) Is(f Format) {
	if b.Format == "" || b.Format == f {
		b.Format = f
		return
	}
	b.Format = Mixed
}

// Limits of what is read. They are far beyond what people exchange and far below what hurts.
const (
	MaxFile      = 32 << 20 // bytes of what is uploaded
	MaxUnpacked  = 64 << 20 // bytes of all files of an archive together
	MaxEntries   = 5000     // files of an archive
	MaxRatio     = 200      // how many times larger than packed an archive may be
	MaxWorkflows = 2000
	MaxPath      = 512 // bytes of a file's name within an archive
)

// Faults of reading. Further ones are made with Refuse.
var (
	ErrTooLarge   = fault.New(fault.TooLarge, "transfer.too_large")
	ErrTooMany    = fault.New(fault.TooLarge, "transfer.too_many")
	ErrUnsafe     = fault.New(fault.Invalid, "transfer.unsafe_archive")
	ErrArchive    = fault.New(fault.Invalid, "transfer.broken_archive")
	ErrUnreadable = fault.New(fault.Invalid, "transfer.unreadable")
	ErrUnknown    = fault.New(fault.Invalid, "transfer.unknown_format")
	ErrEmpty      = fault.New(fault.Invalid, "transfer.nothing_inside")
)

// Refuse is ErrUnreadable for a file, with the reason in English as parsers give it.
func Refuse(file string, line int, reason string) error {
	if line > 0 {
		reason = "line " + strconv.Itoa(line) + ": " + reason
	}
	return ErrUnreadable.With("file", file, "reason", reason)
}

// DefaultTask is a task as the forms begin it.
func DefaultTask() flow.Task {
	return flow.Task{
		Flag: flow.FlagYes, IsCache: flow.FlagNo, Priority: flow.Medium, WorkerGroup: "default", EnvironmentCode: -1, RetryInterval: 1,
		TimeoutFlag: flow.TimeoutClose, CPUQuota: -1, MemoryMax: -1, ExecuteType: flow.Batch,
	}
}
