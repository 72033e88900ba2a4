package keep

import (
	"errors"
	"fmt"
	"time"
)

// Config is the policy of retention: how many days rows stay. 0 means for ever.
type Config struct {
	Runs      int           `koanf:"runs"`       // ended runs, with their tasks, logs, approvals and alerts' subjects
	Latest    int           `koanf:"latest"`     // how many of the latest runs and of the latest successful runs of a workflow stay anyway
	Dependent int           `koanf:"dependent"`  // days that runs of a workflow stay anyway on which another one depends
	Audit     int           `koanf:"audit"`      // the audit log
	Fires     int           `koanf:"fires"`      // which schedule fired when
	Alerts    int           `koanf:"alerts"`     // alerts that were sent or could not be
	Events    int           `koanf:"events"`     // what happened to masters and workers
	Errors    int           `koanf:"errors"`     // commands that could not be carried out
	Samples   int           `koanf:"samples"`    // load of masters and workers
	Every     time.Duration `koanf:"every"`      // how often is looked for what is too old
	BatchRuns int           `koanf:"batch-runs"` // runs in one transaction
	BatchRows int           `koanf:"batch-rows"` // other rows in one transaction
}

// DefaultConfig returns the defaults: nothing that people may want to look up goes by itself.
func DefaultConfig() Config {
	return Config{
		Latest: 10, Dependent: 62, Fires: 90, Alerts: 90, Events: 90, Errors: 90, Samples: 2,
		Every: time.Hour, BatchRuns: 100, BatchRows: 1000,
	}
}

// Validate returns what is wrong, joined; each message begins with its key.
func (c Config) Validate() error {
	var problems []error
	for key, days := range map[string]int{
		"runs": c.Runs, "dependent": c.Dependent, "audit": c.Audit, "fires": c.Fires, "alerts": c.Alerts, "events": c.Events,
		"errors": c.Errors, "samples": c.Samples,
	} {
		if days < 0 || days > 36_500 {
			problems = append(problems, fmt.Errorf("retention.%s: %d is no number of days from 0 (for ever) to 36500", key, days))
		}
	}
	if c.Latest < 1 {
		problems = append(problems, errors.New("retention.latest: must be at least 1"))
	}
	if c.Every < time.Minute {
		problems = append(problems, errors.New("retention.every: must be at least 1m"))
	}
	for key, n := range map[string]int{"batch-runs": c.BatchRuns, "batch-rows": c.BatchRows} {
		if n < 1 || n > 10_000 {
			problems = append(problems, fmt.Errorf("retention.%s: must be from 1 to 10000", key))
		}
	}
	return errors.Join(problems...)
}

// Subject is a kind of rows that retention removes.
type Subject string

// The subjects, in the order in which pages show them.
const (
	Runs      Subject = "runs"
	Tasks     Subject = "tasks" // go with their runs
	Backfills Subject = "backfills"
	Audit     Subject = "audit"
	Fires     Subject = "fires"
	Alerts    Subject = "alerts"
	Events    Subject = "events"
	Errors    Subject = "errors"
	Samples   Subject = "samples"
)

// Subjects lists them.
func Subjects() []Subject {
	return []Subject{Runs, Tasks, Backfills, Audit, Fires, Alerts, Events, Errors, Samples}
}

// Days is how long rows of a subject stay; 0 = for ever.
func (c Config) Days(s Subject) int {
	switch s {
	case Runs, Tasks, Backfills:
		return c.Runs
	case Audit:
		return c.Audit
	case Fires:
		return c.Fires
	case Alerts:
		return c.Alerts
	case Events:
		return c.Events
	case Errors:
		return c.Errors
	case Samples:
		return c.Samples
	}
	return 0
}

// rows says where the rows of a subject are that are removed by their age alone.
type rows struct {
	table, key, at string
	also           string // a further condition
}

func (s Subject) rows() (rows, bool) {
	switch s {
	case Audit:
		return rows{"audit_log", "id", "at", ""}, true
	case Alerts:
		return rows{"alert", "id", "created_at", " AND status <> 'WAIT_EXECUTION'"}, true
	case Events:
		return rows{"cluster_event", "id", "at", ""}, true
	case Errors:
		return rows{"error_command", "id", "failed_at", ""}, true
	case Runs, Tasks, Backfills, Fires, Samples:
	}
	return rows{}, false
}
