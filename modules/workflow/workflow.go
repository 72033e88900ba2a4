package workflow

import (
	"context"
	"time"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/flow"
)

// Workflow is the head of a definition: what lists show. What the workflow does is in its versions.
type Workflow struct {
	ID            int64              `db:"id"`
	Code          int64              `db:"code"`
	ProjectCode   int64              `db:"project_code"`
	Name          string             `db:"name"`
	Description   string             `db:"description"`
	Version       int                `db:"version"` // the current one
	ReleaseState  flow.ReleaseState  `db:"release_state"`
	ExecutionType flow.ExecutionType `db:"execution_type"`
	TaskCount     int                `db:"task_count"`
	OwnerID       int64              `db:"owner_id"`
	OwnerName     string             `db:"owner_name"`
	ModifiedBy    int64              `db:"modified_by"`
	ModifierName  string             `db:"modifier_name"`
	CreatedAt     time.Time          `db:"created_at"`
	UpdatedAt     time.Time          `db:"updated_at"`
}

// Online reports whether the workflow may be triggered.
func (w Workflow) Online() bool { return w.ReleaseState == flow.Online }

// Version is one saved state of a workflow. It never changes.
type Version struct {
	WorkflowCode int64     `db:"workflow_code"`
	Version      int       `db:"version"`
	Message      string    `db:"message"` // what the author said about it, may be empty
	OperatorID   int64     `db:"operator_id"`
	OperatorName string    `db:"operator_name"`
	TaskCount    int       `db:"task_count"`
	Added        int       `db:"tasks_added"` // against the version before it
	Changed      int       `db:"tasks_changed"`
	Removed      int       `db:"tasks_removed"`
	CreatedAt    time.Time `db:"created_at"`
}

// Draft is an edit that its author has not saved as a version yet. Nobody else sees it.
type Draft struct {
	UserID       int64     `db:"user_id"`
	WorkflowCode int64     `db:"workflow_code"`
	ProjectCode  int64     `db:"project_code"`
	BaseVersion  int       `db:"base_version"` // of the workflow when the edit began; 0 for one never saved
	Revision     int       `db:"revision"`     // rises by one with each save of the draft
	Name         string    `db:"name"`
	Body         string    `db:"body"` // JSON of the editor's document
	UpdatedAt    time.Time `db:"updated_at"`
}

// Change is a definition to be saved as a version.
type Change struct {
	// Definition holds code, name, settings, tasks, edges and locations. Its Version and ProjectCode are ignored. A task
	// without a code gets one.
	Definition *flow.Definition
	// BaseVersion is the version that the change was made from. When the workflow has a newer one by now, saving is
	// refused with a StaleError. AnyVersion saves over whatever is there.
	BaseVersion int
	Message     string
	// Source is the YAML that the author typed, kept for its comments; "" when the workflow was drawn.
	Source string
	// Online puts the saved version online in the same transaction, taking an online workflow offline for the moment.
	// Without it a workflow that is online is not changed: ErrOnline.
	Online bool
	// Empty lets a definition without tasks pass. It cannot go online.
	Empty bool
}

// AnyVersion as a base version skips the check for changes by others.
const AnyVersion = -1

// Saved is a workflow after a save.
type Saved struct {
	Workflow   Workflow
	Definition *flow.Definition
	Changed    bool // false: the content was that of the current version, and no version was made
}

// Faults of this module.
var (
	ErrNotFound        = fault.New(fault.NotFound, "workflow.not_found")
	ErrVersionNotFound = fault.New(fault.NotFound, "workflow.version_not_found")
	ErrNameTaken       = fault.New(fault.Conflict, "workflow.name_taken")
	ErrCodeTaken       = fault.New(fault.Conflict, "workflow.code_taken")
	ErrTaskCodeTaken   = fault.New(fault.Conflict, "workflow.task_code_taken")
	ErrOnline          = fault.New(fault.Conflict, "workflow.online")
	ErrDeleteOnline    = fault.New(fault.Conflict, "workflow.delete_online")
	ErrEmpty           = fault.New(fault.Invalid, "workflow.empty")
	ErrCycle           = fault.New(fault.Invalid, "workflow.cycle")
	ErrStale           = fault.New(fault.Conflict, "workflow.stale")
	ErrDraftStale      = fault.New(fault.Conflict, "workflow.draft_stale")
	ErrNoDraft         = fault.New(fault.NotFound, "workflow.no_draft")
	ErrInUse           = fault.New(fault.Conflict, "workflow.in_use")
	ErrChildOffline    = fault.New(fault.Conflict, "workflow.child_offline")
	ErrPreview         = fault.New(fault.Invalid, "workflow.preview_failed")
	ErrNeededOnline    = fault.New(fault.Conflict, "workflow.needed_online")
	ErrVersionInUse    = fault.New(fault.Conflict, "workflow.version_in_use")
	ErrCurrentVersion  = fault.New(fault.Conflict, "workflow.current_version")
	ErrInvalid         = fault.New(fault.Invalid, "workflow.invalid")
	ErrTaskInvalid     = fault.New(fault.Invalid, "workflow.task_invalid")
	ErrTaskNotFound    = fault.New(fault.NotFound, "workflow.task_not_found")
	ErrEdgeUnknown     = fault.New(fault.Invalid, "workflow.edge_unknown")
	ErrDescription     = fault.New(fault.Invalid, "workflow.description_long")
	ErrMalformed       = fault.New(fault.Invalid, "workflow.malformed")
)

// StaleError refuses a save because somebody else saved meanwhile. It is an ErrStale that also says what is there now.
type StaleError struct {
	Current Workflow
	err     *fault.Error
}

// Error describes the refusal for logs.
func (e *StaleError) Error() string { return e.err.Error() }

// Unwrap is the fault that the user sees.
func (e *StaleError) Unwrap() error { return e.err }

func stale(w Workflow) error {
	return &StaleError{Current: w, err: ErrStale.With("version", w.Version, "user", w.ModifierName)}
}

// InvalidError refuses a definition that cannot be saved or put online. It is an ErrInvalid, or a more telling fault,
// with everything that is wrong.
type InvalidError struct {
	Problems []flow.Problem
	err      *fault.Error
}

// Error describes the refusal for logs.
func (e *InvalidError) Error() string { return e.err.Error() }

// Unwrap is the fault that the user sees.
func (e *InvalidError) Unwrap() error { return e.err }

// DraftStaleError refuses an autosave that another tab was faster than. It is an ErrDraftStale.
type DraftStaleError struct{ Revision int }

// Error describes the refusal for logs.
func (e *DraftStaleError) Error() string { return ErrDraftStale.Error() }

// Unwrap is the fault that the user sees.
func (e *DraftStaleError) Unwrap() error { return ErrDraftStale }

// Referrer is implemented by modules above that know what depends on a workflow. boot hands them in.
type Referrer interface {
	// WorkflowInUse names what keeps the workflow from being deleted: its running instances, the workflows that start it.
	WorkflowInUse(ctx context.Context, code int64) ([]string, error)
	// DeleteInstances removes what goes with the workflow, in the transaction of ctx.
	DeleteInstances(ctx context.Context, code int64) error
}

// VersionKeeper is a Referrer that also knows which versions must stay.
type VersionKeeper interface {
	// VersionInUse reports whether an instance that is kept ran this version.
	VersionInUse(ctx context.Context, code int64, version int) (bool, error)
}

// Follower is a Referrer whose rows say, too, in which project a workflow is.
type Follower interface {
	// WorkflowMoved is told, in the transaction of ctx, that an offline workflow without unfinished runs is in another project.
	WorkflowMoved(ctx context.Context, code, project int64) error
}

// Limits of what a definition may hold; each also keeps a page or a message readable.
const (
	maxName        = 255
	maxDescription = 255 // characters; the REST API refuses more with a code of its own
	maxMessage     = 500
	maxBody        = 32 << 20 // bytes of one stored version
)

func tooLong(s string, most int) bool { return utf8.RuneCountInString(s) > most }

// Spec is what the list of workflows sorts, searches and filters by.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{
			"name": "w.name", "updated": "w.updated_at", "created": "w.created_at", "tasks": "w.task_count",
			"state": "w.release_state", "owner": "o.name",
		},
		Search:  []string{"w.name", "w.description"},
		Filters: map[string]string{"state": "w.release_state", "owner": "CAST(w.owner_id AS TEXT)"},
		Default: "-updated",
		ID:      "w.id",
	}
}
