package transfer

import (
	"context"
	"slices"

	"dorado/app/kit/fault"
	"dorado/modules/transfer/neutral"
	"dorado/modules/workflow"
)

// Action says what becomes of a workflow of a file.
type Action string

// The actions.
const (
	Create  Action = "create"  // under its own name, which is free
	Rename  Action = "rename"  // under another one
	Version Action = "version" // as the next version of the workflow of that name
	Skip    Action = "skip"
)

// Actions lists all.
func Actions() []Action { return []Action{Create, Rename, Version, Skip} }

// Choice is something here that a reference may lead to.
type Choice struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// Lookups list what references may lead to in a project, by kind. A kind without one is not looked for: what a file says
// about it stays as it is.
type Lookups map[neutral.Kind]func(ctx context.Context, project int64) ([]Choice, error)

// Choices are what whoever imports wants.
type Choices struct {
	Actions map[int]Action // by the place of the workflow in the bundle; others get what the preview says
	Names   map[int]string // of renamed ones; others get a free name
	// Conflict is the action for workflows whose name is taken and that have none in Actions; "" renames them, and skips
	// those that say what is there.
	Conflict Action
	// Mapping says what references lead to, by neutral.Ref.Key; "" leaves the reference out where that is possible.
	Mapping map[string]string
	// KeepCodes keeps the codes of workflows and tasks that nothing here has.
	KeepCodes bool
	// Stamped names workflows as DolphinScheduler does: a free name, "_import_" and the time. No action counts then.
	Stamped bool
}

// Preview is what an import would do.
type Preview struct {
	Format     neutral.Format
	Items      []Item
	References []Reference
	Notes      []neutral.Note
}

// Ready reports whether there is anything to import.
func (p *Preview) Ready() bool {
	for _, i := range p.Items {
		if !i.Blocked && i.Action != Skip {
			return true
		}
	}
	return false
}

// Item is one workflow of a preview.
type Item struct {
	Index     int
	File      string
	Project   string
	Name      string
	As        string // the name it would get
	Action    Action
	Existing  workflow.Workflow // of that name, zero when there is none
	Same      bool              // Existing says what the file says
	Tasks     int
	Schedules int
	Foreign   []string // types that cannot run here
	Problems  []string // what keeps it from being imported, in the reader's language
	Blocked   bool
}

// Reference is something outside the file that workflows of it name.
type Reference struct {
	Ref      neutral.Ref
	Label    string // what the file calls it
	Uses     []string
	Found    string // the value here that it leads to by itself
	Chosen   string // what it leads to in this import
	Choices  []Choice
	Required bool // a workflow that names nothing cannot be saved
	Open     bool // nothing was chosen, and something must be
}

// Result is what an import did.
type Result struct {
	Items []Done
	Notes []neutral.Note
}

// Done is one workflow of a result.
type Done struct {
	Item
	Workflow  workflow.Workflow // zero when it was skipped
	Scheduled int
	Kept      bool // its own schedules stayed, those of the file were left out
}

// Last is the last workflow that was imported.
func (r *Result) Last() (workflow.Workflow, bool) {
	for _, d := range slices.Backward(r.Items) {
		if d.Workflow.Code != 0 {
			return d.Workflow, true
		}
	}
	return workflow.Workflow{}, false
}

// Faults of this module. Those of reading are in package neutral.
var (
	ErrNothing    = fault.New(fault.Invalid, "transfer.nothing")
	ErrReferences = fault.New(fault.Invalid, "transfer.references_open")
	ErrRing       = fault.New(fault.Invalid, "transfer.ring")
	ErrDataSource = fault.New(fault.Invalid, "transfer.datasource_unknown")
	ErrChoice     = fault.New(fault.Invalid, "transfer.choice")
	ErrBlocked    = fault.New(fault.Invalid, "transfer.blocked")
)
