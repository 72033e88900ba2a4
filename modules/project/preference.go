package project

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/flow"
)

// Preference is what a project suggests for new tasks, runs and schedules. Its JSON names are those that clients use.
type Preference struct {
	TaskPriority      flow.Priority    `json:"taskPriority"`
	Tenant            string           `json:"tenant"`
	WorkerGroup       string           `json:"workerGroup"`
	EnvironmentCode   int64            `json:"environmentCode"`   // -1 = none
	FailRetryTimes    int              `json:"failRetryTimes"`    // of a task
	FailRetryInterval int              `json:"failRetryInterval"` // minutes
	WarningType       flow.WarningType `json:"warningType"`
	AlertGroup        int64            `json:"alertGroup"` // 0 = none
	CPUQuota          int              `json:"cpuQuota"`   // percent, -1 = no limit
	MemoryMax         int              `json:"memoryMax"`  // megabytes, -1 = no limit
}

// DefaultPreference is what is suggested without a preference.
func DefaultPreference() Preference {
	return Preference{
		TaskPriority: flow.Medium, Tenant: "default", WorkerGroup: "default", EnvironmentCode: -1, FailRetryInterval: 1,
		WarningType: flow.WarningNone, CPUQuota: -1, MemoryMax: -1,
	}
}

// SavedPreference is the preference of a project as it is kept.
type SavedPreference struct {
	ProjectCode int64     `db:"project_code"`
	Code        int64     `db:"code"`
	Enabled     bool      `db:"enabled"`
	Body        string    `db:"body"` // JSON as it was sent
	OperatorID  int64     `db:"operator_id"`
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`
}

// Faults about preferences.
var (
	ErrPreferenceForm = fault.New(fault.Invalid, "preference.error.form")
	ErrNoPreference   = fault.New(fault.NotFound, "preference.error.none")
)

// Values reads the kept JSON; what is missing or no use counts as not said.
func (s SavedPreference) Values() Preference {
	p, err := readPreference(s.Body)
	if err != nil {
		return DefaultPreference()
	}
	return p
}

// readPreference reads JSON as clients write it: numbers as text, other names for the alert group, null for nothing.
func readPreference(body string) (Preference, error) {
	p := DefaultPreference()
	var raw map[string]any
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&raw); err != nil || raw == nil {
		return p, ErrPreferenceForm.Because(err)
	}
	var bad error
	word := func(to *string, name string) {
		if v, ok := raw[name]; ok && v != nil {
			text, ok := v.(string)
			if !ok {
				bad = ErrPreferenceForm.OnField(name, "web.field.number")
			} else if text != "" {
				*to = text
			}
		}
	}
	number := func(to *int64, names ...string) {
		for _, name := range names {
			text := ""
			switch v := raw[name].(type) {
			case json.Number:
				text = v.String()
			case string:
				text = v
			}
			if text == "" {
				continue
			}
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				bad = ErrPreferenceForm.OnField(name, "web.field.number")
				continue
			}
			*to = n
		}
	}
	priority, warning := string(p.TaskPriority), string(p.WarningType)
	word(&priority, "taskPriority")
	word(&warning, "warningType")
	word(&p.Tenant, "tenant")
	word(&p.WorkerGroup, "workerGroup")
	times, interval, cpu, memory := int64(p.FailRetryTimes), int64(p.FailRetryInterval), int64(p.CPUQuota), int64(p.MemoryMax)
	number(&p.EnvironmentCode, "environmentCode")
	number(&p.AlertGroup, "alertGroups", "warningGroupId", "alertGroup")
	number(&times, "failRetryTimes")
	number(&interval, "failRetryInterval")
	number(&cpu, "cpuQuota")
	number(&memory, "memoryMax")
	p.FailRetryTimes, p.FailRetryInterval, p.CPUQuota, p.MemoryMax = int(times), int(interval), int(cpu), int(memory)
	if p.EnvironmentCode <= 0 {
		p.EnvironmentCode = -1
	}
	var err error
	if p.TaskPriority, err = flow.ParsePriority(priority); err != nil {
		bad = ErrPreferenceForm.OnField("taskPriority", "preference.error.value")
	}
	if p.WarningType, err = flow.ParseWarningType(warning); err != nil {
		bad = ErrPreferenceForm.OnField("warningType", "preference.error.value")
	}
	return p, bad
}

// Validate returns a fault with a message for each field that breaks a rule.
func (p Preference) Validate() error {
	var c fault.Collector
	const most = 1 << 20
	for _, n := range []struct {
		name      string
		value     int
		low, high int
	}{
		{"failRetryTimes", p.FailRetryTimes, 0, 10_000},
		{"failRetryInterval", p.FailRetryInterval, 0, 60 * 24 * 7},
		{"cpuQuota", p.CPUQuota, -1, most},
		{"memoryMax", p.MemoryMax, -1, most},
	} {
		if n.value < n.low || n.value > n.high {
			c.Add(n.name, "preference.error.range", "low", n.low, "high", n.high)
		}
	}
	return c.Err()
}

// Known tells which of the things that a preference or an assignment names exist. A nil function lets everything pass.
type Known struct {
	Tenant      func(ctx context.Context, code string) (bool, error)
	WorkerGroup func(ctx context.Context, name string) (bool, error)
	Environment func(ctx context.Context, code int64) (bool, error)
	AlertGroup  func(ctx context.Context, id int64) (bool, error)
}

// SetKnown hands in what knows the things a preference names. It must not be called once requests are served.
func (s *Service) SetKnown(k Known) { s.known = k }

func exists[T any](ctx context.Context, c *fault.Collector, field string, ask func(context.Context, T) (bool, error), value T) error {
	if ask == nil {
		return nil
	}
	ok, err := ask(ctx, value)
	if err == nil && !ok {
		c.Add(field, "preference.error.unknown")
	}
	return err
}

// check returns what is wrong with a preference, be it that something it names is gone.
func (s *Service) check(ctx context.Context, p Preference) error {
	if err := p.Validate(); err != nil {
		return err
	}
	var c fault.Collector
	if err := errors.Join(
		exists(ctx, &c, "tenant", s.known.Tenant, p.Tenant), exists(ctx, &c, "workerGroup", s.known.WorkerGroup, p.WorkerGroup),
		exists(ctx, &c, "environmentCode", s.known.Environment, p.EnvironmentCode), exists(ctx, &c, "alertGroup", s.known.AlertGroup, p.AlertGroup),
	); err != nil {
		return err
	}
	return c.Err()
}

// Preference is what a project suggests now: DefaultPreference when it has no preference or has switched it off. Whoever
// acts must be able to see the project.
func (s *Service) Preference(ctx context.Context, project int64) (Preference, error) {
	saved, err := s.SavedPreference(ctx, project)
	if errors.Is(err, ErrNoPreference) || err == nil && !saved.Enabled {
		return DefaultPreference(), nil
	}
	if err != nil {
		return DefaultPreference(), err
	}
	return saved.Values(), nil
}

// SavedPreference is what is kept, on or off. It returns ErrNoPreference, and what Require does.
func (s *Service) SavedPreference(ctx context.Context, project int64) (SavedPreference, error) {
	if _, err := s.Require(ctx, project, Read); err != nil {
		return SavedPreference{}, err
	}
	p, err := db.Get[SavedPreference](ctx, s.DB, `SELECT project_code, code, enabled, body, operator_id, created_at, updated_at
		FROM project_preference WHERE project_code = ?`, project)
	if errors.Is(err, db.ErrNoRows) {
		return p, ErrNoPreference
	}
	return p, wrap(err, "read preference")
}

// SavePreference keeps a preference, given as JSON, and switches it on unless it is off already and enabled is nil. It
// returns ErrPreferenceForm, field faults, and what Require does.
func (s *Service) SavePreference(ctx context.Context, project int64, body string, enabled *bool) (SavedPreference, error) {
	in, err := s.Require(ctx, project, EditSettings)
	if err != nil {
		return SavedPreference{}, err
	}
	p, err := readPreference(body)
	if err != nil {
		return SavedPreference{}, err
	}
	if err := s.check(ctx, p); err != nil {
		return SavedPreference{}, err
	}
	who, _ := access.From(ctx)
	var saved SavedPreference
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		saved, err = s.SavedPreference(ctx, project)
		switch {
		case errors.Is(err, ErrNoPreference):
			saved = SavedPreference{ProjectCode: project, Code: s.Codes.Next(), Enabled: true, CreatedAt: now(s.Now)}
		case err != nil:
			return err
		}
		if enabled != nil {
			saved.Enabled = *enabled
		}
		saved.Body, saved.OperatorID, saved.UpdatedAt = body, who.UserID, now(s.Now)
		if _, err := s.DB.Exec(ctx, `INSERT INTO project_preference (project_code, code, enabled, body, operator_id, created_at, updated_at)
			VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project_code) DO UPDATE SET enabled = excluded.enabled, body = excluded.body,
			operator_id = excluded.operator_id, updated_at = excluded.updated_at`,
			project, saved.Code, saved.Enabled, saved.Body, saved.OperatorID, saved.CreatedAt, saved.UpdatedAt); err != nil {
			return wrap(err, "write preference")
		}
		return s.recordSetting(ctx, in, "preference.update", map[string]any{"enabled": saved.Enabled})
	})
	return saved, err
}

// SwitchPreference turns the preference of a project on or off; without one there is nothing to turn. It returns
// ErrNoPreference, and what Require does.
func (s *Service) SwitchPreference(ctx context.Context, project int64, on bool) error {
	if _, err := s.Require(ctx, project, EditSettings); err != nil {
		return err
	}
	saved, err := s.SavedPreference(ctx, project)
	if err != nil {
		return err
	}
	_, err = s.SavePreference(ctx, project, saved.Body, &on)
	return err
}

func (s *Service) recordSetting(ctx context.Context, in Project, action string, detail any) error {
	return s.Audit.Record(ctx, audit.Entry{
		Action: action, ObjectType: "project", ObjectID: strconv.FormatInt(in.Code, 10), ObjectName: in.Name, ProjectCode: in.Code, Detail: detail,
	})
}
