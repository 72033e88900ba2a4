package schedule

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/flow"
)

// MisfirePolicy says what becomes of fires that were not made within a minute of being due: nobody was there to make them.
type MisfirePolicy string

// The misfire policies.
const (
	SkipMissed    MisfirePolicy = "SKIP_MISSED"
	FireOnceNow   MisfirePolicy = "FIRE_ONCE_NOW" // the last of them
	FireAllMissed MisfirePolicy = "FIRE_ALL_MISSED"
)

// MisfirePolicies lists all, the default first.
func MisfirePolicies() []MisfirePolicy {
	return []MisfirePolicy{FireAllMissed, FireOnceNow, SkipMissed}
}

// CalendarPolicy says what becomes of a fire on a day on which nobody works.
type CalendarPolicy string

// The calendar policies.
const (
	Skip            CalendarPolicy = "SKIP"
	NextWorkday     CalendarPolicy = "NEXT_WORKDAY"
	PreviousWorkday CalendarPolicy = "PREVIOUS_WORKDAY"
)

// CalendarPolicies lists all, the default first.
func CalendarPolicies() []CalendarPolicy {
	return []CalendarPolicy{Skip, NextWorkday, PreviousWorkday}
}

// Schedule starts a workflow by the clock.
type Schedule struct {
	ID              int64                `db:"id"`
	ProjectCode     int64                `db:"project_code"`
	WorkflowCode    int64                `db:"workflow_code"`
	WorkflowName    string               `db:"workflow_name"`
	WorkflowState   flow.ReleaseState    `db:"workflow_state"`
	Name            string               `db:"name"` // may be empty
	Start           time.Time            `db:"start_time"`
	End             time.Time            `db:"end_time"`
	TimeZone        string               `db:"time_zone"` // IANA name
	Crontab         string               `db:"crontab"`
	Misfire         MisfirePolicy        `db:"misfire_policy"`
	CalendarID      *int64               `db:"calendar_id"`
	CalendarPolicy  CalendarPolicy       `db:"calendar_policy"`
	DoneBy          string               `db:"done_by"` // by when a run should be over, see DoneBy; "" = whenever
	FailureStrategy flow.FailureStrategy `db:"failure_strategy"`
	WarningType     flow.WarningType     `db:"warning_type"`
	WarningGroupID  int64                `db:"warning_group_id"`
	Priority        flow.Priority        `db:"priority"`
	WorkerGroup     string               `db:"worker_group"`
	TenantCode      string               `db:"tenant_code"`
	EnvironmentCode int64                `db:"environment_code"` // -1 = none
	EnvironmentName string               `db:"environment_name"`
	StartParams     string               `db:"start_params"` // JSON list of flow.Property
	ReleaseState    flow.ReleaseState    `db:"release_state"`
	WishOnline      bool                 `db:"wish_online"` // comes online with its workflow
	OnlineAt        *time.Time           `db:"online_at"`
	Revision        int                  `db:"revision"`
	UserID          int64                `db:"user_id"`
	UserName        string               `db:"user_name"`
	CreatedAt       time.Time            `db:"created_at"`
	UpdatedAt       time.Time            `db:"updated_at"`
}

// Online reports whether the schedule fires.
func (s *Schedule) Online() bool { return s.ReleaseState == flow.Online }

// Label is what messages call the schedule: its name, or its expression.
func (s *Schedule) Label() string {
	if s.Name != "" {
		return s.Name
	}
	return s.Crontab
}

// Zone is the schedule's zone; UTC when the computer has forgotten it.
func (s *Schedule) Zone() *time.Location {
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// StartText and EndText are the bounds as they were entered: wall-clock time in the schedule's zone.
func (s *Schedule) StartText() string { return s.Start.In(s.Zone()).Format(time.DateTime) }

// EndText is the end of the range, as StartText.
func (s *Schedule) EndText() string { return s.End.In(s.Zone()).Format(time.DateTime) }

// Draft is what a form may set. Its defaults are those of a schedule that nobody told anything else.
type Draft struct {
	Name string
	// Start and End are wall-clock times in TimeZone: 2006-01-02 15:04:05, also with T, without seconds, or a date alone.
	Start, End      string
	TimeZone        string
	Crontab         string
	Misfire         MisfirePolicy
	CalendarID      int64 // 0 = none
	CalendarPolicy  CalendarPolicy
	DoneBy          string
	FailureStrategy flow.FailureStrategy
	WarningType     flow.WarningType
	WarningGroupID  int64
	Priority        flow.Priority
	WorkerGroup     string
	TenantCode      string
	EnvironmentCode int64 // 0 and -1 = none
	StartParams     []flow.Property
}

// Draft is what a form for the schedule starts with.
func (s *Schedule) Draft() Draft {
	d := Draft{
		Name: s.Name, Start: s.StartText(), End: s.EndText(), TimeZone: s.TimeZone, Crontab: s.Crontab, Misfire: s.Misfire,
		CalendarPolicy: s.CalendarPolicy, DoneBy: s.DoneBy, FailureStrategy: s.FailureStrategy, WarningType: s.WarningType,
		WarningGroupID: s.WarningGroupID, Priority: s.Priority, WorkerGroup: s.WorkerGroup, TenantCode: s.TenantCode,
		EnvironmentCode: s.EnvironmentCode, StartParams: s.Params(),
	}
	if s.CalendarID != nil {
		d.CalendarID = *s.CalendarID
	}
	return d
}

// Params are the startup parameters of the runs.
func (s *Schedule) Params() []flow.Property {
	list, err := flow.DecodeProperties(s.StartParams)
	if err != nil {
		return nil // written by this package; nothing to lose
	}
	return list
}

// Faults of this module.
var (
	ErrNotFound        = fault.New(fault.NotFound, "schedule.not_found")
	ErrNone            = fault.New(fault.NotFound, "schedule.none")
	ErrExists          = fault.New(fault.Conflict, "schedule.exists")
	ErrOnline          = fault.New(fault.Conflict, "schedule.online_fixed")
	ErrDeleteOnline    = fault.New(fault.Conflict, "schedule.online_kept")
	ErrNotOwner        = fault.New(fault.Forbidden, "schedule.not_owner")
	ErrWorkflowOffline = fault.New(fault.Conflict, "schedule.workflow_offline")
	ErrChanged         = fault.New(fault.Conflict, "schedule.changed")
	ErrTooMany         = fault.New(fault.Conflict, "schedule.too_many")
	ErrSame            = fault.New(fault.Invalid, "schedule.start_is_end")
	ErrBackwards       = fault.New(fault.Invalid, "schedule.start_after_end")
	ErrCron            = fault.New(fault.Invalid, "schedule.cron")
	ErrNever           = fault.New(fault.Invalid, "schedule.never")
	ErrTenant          = fault.New(fault.Invalid, "schedule.tenant_unknown")
	ErrEnvironment     = fault.New(fault.Invalid, "schedule.environment_unknown")
)

// MaxPerWorkflow bounds the schedules of one workflow.
const MaxPerWorkflow = 100

// Spec is what a list of schedules can be sorted, searched and narrowed by.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{
			"updated": "s.updated_at", "created": "s.created_at", "workflow": "w.name", "name": "s.name", "state": "s.release_state",
			"start": "s.start_time", "end": "s.end_time", "zone": "s.time_zone",
		},
		Search: []string{"s.name", "w.name", "s.crontab"},
		Filters: map[string]string{
			"state": "s.release_state", "zone": "s.time_zone", "workflow": "CAST(s.workflow_code AS TEXT)", "tenant": "s.tenant_code",
			"group": "s.worker_group", "calendar": "CAST(s.calendar_id AS TEXT)",
		},
		Default: "-updated", ID: "s.id",
	}
}

// Wall reads a wall-clock time in a zone, in any of the forms of Draft.
func Wall(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("schedule: %q is not a time like 2006-01-02 15:04:05", text)
}

// one returns value when it is one of all, the first of all when it is empty.
func one[T ~string](value T, all []T) (T, bool) {
	if value == "" {
		return all[0], true
	}
	return value, slices.Contains(all, value)
}

// Calendars knows which days are worked; package calendar implements it.
type Calendars interface {
	// Workdays returns what decides about the days of a calendar, false when there is no such calendar.
	Workdays(ctx context.Context, id int64) (Workdays, bool, error)
}

// Workdays tells working days from others.
type Workdays interface {
	Workday(year int, month time.Month, day int) bool
}

// Known tells which of the things that a schedule refers to exist. A nil function lets everything pass.
type Known struct {
	WorkerGroup  func(ctx context.Context, name string) (bool, error)
	Environment  func(ctx context.Context, code int64) (bool, error)
	WarningGroup func(ctx context.Context, id int64) (bool, error)
}
