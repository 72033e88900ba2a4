package instance

import (
	"context"
	"time"

	"dorado/modules/flow"
)

// The runs of a workflow for past dates are the business of modules/backfill, which stands above this one. The dialog and
// the endpoint that ask for them are here, and meet it in these types.

// Skip says which dates of a backfill are left out because of the runs that they have had.
type Skip string

// The choices.
const (
	SkipNone      Skip = "ALL"       // run every date
	SkipSucceeded Skip = "SUCCEEDED" // not those whose latest run was a success
	SkipExisting  Skip = "EXISTING"  // only those that failed or never ran
)

// Skips lists the choices.
func Skips() []Skip { return []Skip{SkipNone, SkipSucceeded, SkipExisting} }

// BackfillRequest asks for one run for each of a set of dates.
type BackfillRequest struct {
	StartRequest
	From, To      time.Time   // a range, both ends included; zero when Dates is used
	Dates         []time.Time // a list
	Width         int         // how many dates at once; 0 = all
	Ascending     bool        // earliest first
	ContinueChain bool        // a date that fails does not keep the next ones of its chain from running
	Skip          Skip
	Dependents    bool // workflows that depend on this one, too
	AllLevels     bool // and those that depend on them
	IgnoreCycle   bool // also where the dependency's cycle is not that of the schedule
}

// BackfillPlan is what a request would do now.
type BackfillPlan struct {
	ID         string         // changes with everything that the plan was made from
	Zone       *time.Location // of the schedules, else of the request
	Scheduled  bool           // the dates of the range are those of schedules that are online
	Dates      []PlannedDate  // in the order in which they run
	Runs       int            // dates that are not left out
	Width      int
	Median     time.Duration // of the latest successful runs; 0 = there are none
	Estimate   time.Duration // 0 = unknown
	Dependents []PlannedDependent
}

// PlannedDate is one date of a plan.
type PlannedDate struct {
	At       time.Time
	State    flow.WorkflowState // of the latest run for this date; "" = there is none
	Instance int64              // that run
	Skip     bool
}

// PlannedDependent is a workflow that is backfilled along.
type PlannedDependent struct {
	ProjectCode  int64
	WorkflowCode int64
	Name         string
	Version      int
	StartNodes   []int64 // its DEPENDENT tasks
	WorkerGroup  string
	Refused      error // why it is not, after all
}

// BackfillStarted is a backfill that has begun.
type BackfillStarted struct {
	ID        int64
	URL       string  // its page
	Instances []int64 // that were started at once
}

// Backfills plans and starts backfills.
type Backfills interface {
	// Zone is the zone in which the dates of a workflow are written: that of its schedules that are online, else asked.
	Zone(ctx context.Context, workflow int64, asked string) (zone *time.Location, scheduled bool, err error)
	// Plan says what r would do. It returns what Service.Start returns, and faults about the dates.
	Plan(ctx context.Context, project int64, r BackfillRequest) (*BackfillPlan, error)
	// Start writes the plan down and starts its first runs. A plan that is given must still be what r would do.
	Start(ctx context.Context, project int64, r BackfillRequest, plan string) (BackfillStarted, error)
}

// SetBackfills hands in the module of backfills. It must not be called once requests are served; without it none can be
// started.
func (s *Service) SetBackfills(b Backfills) { s.backfills = b }

// OwnKey makes an idempotency key the caller's, as Start does with those it gets: nobody gets at the runs of somebody else by
// guessing his key. It returns ErrStartRequest for one that is too long.
func OwnKey(ctx context.Context, key string) (string, error) {
	r := StartRequest{IdempotencyKey: key}
	err := r.own(ctx)
	return r.IdempotencyKey, err
}
