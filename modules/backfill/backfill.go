package backfill

import (
	"encoding/json"
	"strconv"
	"time"

	"dorado/app/kit/fault"
	"dorado/modules/flow"
	"dorado/modules/instance"
)

// State is where a backfill stands.
type State string

// The states of a backfill.
const (
	Running   State = "RUNNING"
	Paused    State = "PAUSED" // nothing new starts
	Success   State = "SUCCESS"
	Failure   State = "FAILURE"
	Cancelled State = "CANCELLED"
)

// DateState is where one date of a backfill stands.
type DateState string

// The states of a date. The last four of the first group are the ends of its instance.
const (
	DateWaiting DateState = "WAITING"
	DateRunning DateState = "RUNNING"
	DateSuccess DateState = "SUCCESS"
	DateFailure DateState = "FAILURE"
	DateStop    DateState = "STOP"
	DatePause   DateState = "PAUSE"

	DateNotRun    DateState = "NOT_RUN"   // its chain ended before it
	DateCancelled DateState = "CANCELLED" // taken out by hand
	DateSkipped   DateState = "SKIPPED"   // left out by the plan
)

// DateStates lists all states of dates in the order in which pages show them.
func DateStates() []DateState {
	return []DateState{DateRunning, DateWaiting, DateSuccess, DateFailure, DateStop, DatePause, DateNotRun, DateCancelled, DateSkipped}
}

// Policy says what a date that is no success means for the next ones of its chain.
type Policy string

// The policies.
const (
	StopChain     Policy = "STOP_CHAIN"
	ContinueChain Policy = "CONTINUE_CHAIN"
)

// The orders in which dates run.
const (
	Ascending  = "ASC_ORDER"
	Descending = "DESC_ORDER"
)

const (
	// MaxListed bounds the dates of a list.
	MaxListed = 100
	// MaxDates bounds the dates of a range.
	MaxDates = 10_000
	// WarnWidth is above which width the dialog warns.
	WarnWidth = 10
)

// Backfill is one plan and how far it has come.
type Backfill struct {
	ID              int64      `db:"id"`
	ProjectCode     int64      `db:"project_code"`
	WorkflowCode    int64      `db:"workflow_code"`
	WorkflowVersion int        `db:"workflow_version"`
	WorkflowName    string     `db:"workflow_name"`
	ParentID        *int64     `db:"parent_id"` // the backfill that took this one along
	State           State      `db:"state"`
	Width           int        `db:"width"`
	Order           string     `db:"run_order"`
	Policy          Policy     `db:"failure_policy"`
	Request         string     `db:"request"` // JSON
	UserID          int64      `db:"user_id"`
	UserName        string     `db:"user_name"`
	CreatedAt       time.Time  `db:"created_at"`
	UpdatedAt       time.Time  `db:"updated_at"`
	EndedAt         *time.Time `db:"ended_at"`
}

// URL is its page.
func (b *Backfill) URL() string { return address(b.ProjectCode, b.ID) }

// zone is that of its dates.
func (b *Backfill) zone() *time.Location {
	var r stored
	if json.Unmarshal([]byte(b.Request), &r) == nil {
		if zone, err := time.LoadLocation(r.TimeZone); err == nil {
			return zone
		}
	}
	return time.UTC
}

// Over reports whether nothing of it waits or runs.
func (b *Backfill) Over() bool { return b.EndedAt != nil }

// Date is one date of a backfill with its instance, if it has one.
type Date struct {
	Position     int                `db:"position"`
	Chain        int                `db:"chain"`
	ScheduleTime time.Time          `db:"schedule_time"`
	State        DateState          `db:"state"`
	InstanceID   int64              `db:"workflow_instance_id"`
	RunState     flow.WorkflowState `db:"run_state"` // "" without instance
	RunName      string             `db:"run_name"`
	Start        *time.Time         `db:"start_time"`
	Restart      *time.Time         `db:"restart_time"`
	End          *time.Time         `db:"end_time"`
}

// Took is how long the latest run of the date took, or has taken at now; 0 without one.
func (d *Date) Took(now time.Time) time.Duration {
	began, end := d.Start, d.End
	if d.Restart != nil {
		began = d.Restart
	}
	if began == nil {
		return 0
	}
	if end == nil {
		end = &now
	}
	return max(0, end.Sub(*began))
}

// Counts is how many dates are in each state.
type Counts map[DateState]int

// Total is how many dates there are.
func (c Counts) Total() int {
	n := 0
	for _, k := range c {
		n += k
	}
	return n
}

// Left is how many dates wait or run.
func (c Counts) Left() int { return c[DateWaiting] + c[DateRunning] }

// Failed is how many dates can be run again.
func (c Counts) Failed() int {
	return c[DateFailure] + c[DateStop] + c[DatePause] + c[DateNotRun]
}

// Faults of this module.
var (
	ErrNotFound   = fault.New(fault.NotFound, "backfill.not_found")
	ErrNoDates    = fault.New(fault.Invalid, "backfill.no_dates")
	ErrBadDate    = fault.New(fault.Invalid, "backfill.bad_date")
	ErrRange      = fault.New(fault.Invalid, "backfill.range")
	ErrTooMany    = fault.New(fault.Invalid, "backfill.too_many")
	ErrTooLong    = fault.New(fault.Invalid, "backfill.list_too_long")
	ErrWidth      = fault.New(fault.Invalid, "backfill.width")
	ErrAllSkipped = fault.New(fault.Conflict, "backfill.all_skipped")
	ErrChanged    = fault.New(fault.Conflict, "backfill.plan_changed")
	ErrOver       = fault.New(fault.Conflict, "backfill.over")
	ErrNotPaused  = fault.New(fault.Conflict, "backfill.not_paused")
	ErrPaused     = fault.New(fault.Conflict, "backfill.paused")
	ErrNoFailed   = fault.New(fault.Conflict, "backfill.no_failed")
	// ErrNothingWaits says why there is nothing to cancel.
	ErrNothingWaits = fault.New(fault.Conflict, "backfill.nothing_waits")
	ErrCron         = fault.New(fault.Conflict, "backfill.cron")
)

func address(project, id int64) string {
	return "/projects/" + strconv.FormatInt(project, 10) + "/backfills/" + strconv.FormatInt(id, 10)
}

// stored is the part of a request that all dates share, as it is kept.
type stored struct {
	StartNodes      []int64              `json:"startNodes,omitempty"`
	Depend          flow.TaskDependType  `json:"taskDependType"`
	FailureStrategy flow.FailureStrategy `json:"failureStrategy"`
	WarningType     flow.WarningType     `json:"warningType"`
	WarningGroupID  int64                `json:"warningGroupId"`
	Priority        flow.Priority        `json:"priority"`
	WorkerGroup     string               `json:"workerGroup"`
	TenantCode      string               `json:"tenantCode"`
	EnvironmentCode int64                `json:"environmentCode"`
	StartParams     []flow.Property      `json:"startParams,omitempty"`
	TimeZone        string               `json:"timeZone"`
	DryRun          bool                 `json:"dryRun,omitempty"`
}

func keep(r instance.StartRequest, zone *time.Location) stored {
	return stored{
		StartNodes: r.StartNodes, Depend: r.Depend, FailureStrategy: r.FailureStrategy, WarningType: r.WarningType,
		WarningGroupID: r.WarningGroupID, Priority: r.Priority, WorkerGroup: r.WorkerGroup, TenantCode: r.TenantCode,
		EnvironmentCode: r.EnvironmentCode, StartParams: r.StartParams, TimeZone: zone.String(), DryRun: r.DryRun,
	}
}

func (s stored) request(code int64, version int) instance.StartRequest {
	return instance.StartRequest{
		WorkflowCode: code, Version: version, StartNodes: s.StartNodes, Depend: s.Depend, FailureStrategy: s.FailureStrategy,
		WarningType: s.WarningType, WarningGroupID: s.WarningGroupID, Priority: s.Priority, WorkerGroup: s.WorkerGroup,
		TenantCode: s.TenantCode, EnvironmentCode: s.EnvironmentCode, StartParams: s.StartParams, TimeZone: s.TimeZone, DryRun: s.DryRun,
	}
}
