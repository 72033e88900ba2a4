package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/modules/flow"
	"dorado/modules/flow/cron"
	"dorado/modules/security/tenant"
)

const (
	maxName   = 100 // characters
	maxParams = 200
	// The range of years that both databases and cron expressions know.
	firstYear, lastYear = 1970, 9999
)

// checked is a draft that broke no rule, as it is stored.
type checked struct {
	Draft
	start, end time.Time
	params     string
	timing     *Timing
}

// check validates a draft and fills its defaults. It returns a fault with a message for each field that breaks a rule.
func (s *Service) check(ctx context.Context, d Draft) (checked, error) {
	var c fault.Collector
	out := checked{Draft: d.tidy()}
	out.enums(&c)
	d = out.Draft
	if utf8.RuneCountInString(d.Name) > maxName {
		c.Add("name", "schedule.name_long", "max", maxName)
	}
	zone := out.when(ctx, &c)
	if d.DoneBy != "" {
		if _, err := ParseDoneBy(d.DoneBy); err != nil {
			c.Add("done_by", "schedule.done_by_form")
		}
	}
	if d.WarningType != flow.WarningNone && d.WarningGroupID <= 0 {
		c.Add("warning_group", "schedule.warning_group_missing")
	}
	if params, err := encodeParams(d.StartParams); err != nil {
		c.Add("start_params", "schedule.start_params", "reason", err.Error())
	} else {
		out.params = params
	}
	if err := s.checkKnown(ctx, d, &c); err != nil {
		return out, err
	}
	calendar, err := s.workdays(ctx, d.CalendarID, &c)
	if err != nil {
		return out, err
	}
	if zone == nil || out.timing == nil || c.Has("calendar") {
		return out, c.Err()
	}
	out.timing.Calendar, out.timing.Policy = calendar, d.CalendarPolicy
	if !c.Has("start_time") && !c.Has("end_time") {
		if _, ok := out.timing.Next(After(out.start)); !ok {
			c.Add("crontab", ErrNever.Key, "start", d.Start, "end", d.End)
		}
	}
	return out, c.Err()
}

func (d Draft) tidy() Draft {
	for _, field := range []*string{&d.Name, &d.Start, &d.End, &d.TimeZone, &d.DoneBy, &d.WorkerGroup, &d.TenantCode} {
		*field = strings.TrimSpace(*field)
	}
	d.Crontab = strings.Join(strings.Fields(d.Crontab), " ")
	if d.WorkerGroup == "" {
		d.WorkerGroup = "default"
	}
	if d.TenantCode == "" {
		d.TenantCode = tenant.Default
	}
	if d.EnvironmentCode <= 0 {
		d.EnvironmentCode = -1
	}
	return d
}

// enums fills the choices that were left open and refuses those that do not exist.
func (k *checked) enums(c *fault.Collector) {
	choose(c, "misfire", &k.Misfire, MisfirePolicies())
	choose(c, "calendar_policy", &k.CalendarPolicy, CalendarPolicies())
	choose(c, "failure_strategy", &k.FailureStrategy, []flow.FailureStrategy{flow.FailureContinue, flow.FailureEnd})
	choose(c, "warning_type", &k.WarningType, []flow.WarningType{flow.WarningNone, flow.WarningSuccess, flow.WarningFailure, flow.WarningAll})
	if k.Priority == "" {
		k.Priority = flow.Medium
	}
	choose(c, "priority", &k.Priority, flow.Priorities())
}

func choose[T ~string](c *fault.Collector, name string, value *T, all []T) {
	got, ok := one(*value, all)
	if !ok {
		c.Add(name, "schedule.choice", "value", string(*value))
		return
	}
	*value = got
}

// when reads zone, range and expression. It returns nil when the zone is unknown.
func (k *checked) when(ctx context.Context, c *fault.Collector) *time.Location {
	zone, err := loadZone(k.TimeZone)
	if err != nil {
		c.Add("time_zone", "schedule.zone_unknown", "zone", k.TimeZone)
		zone = nil
	}
	expr, err := cron.Parse(k.Crontab)
	if err != nil {
		c.Add("crontab", ErrCron.Key, "expression", k.Crontab, "reason", reason(ctx, err))
		expr = nil
	}
	if zone == nil {
		return nil
	}
	k.start, k.end = bound(c, "start_time", k.Start, zone), bound(c, "end_time", k.End, zone)
	if !c.Has("start_time") && !c.Has("end_time") {
		switch {
		case k.start.Equal(k.end):
			c.Add("end_time", ErrSame.Key)
		case k.start.After(k.end):
			c.Add("end_time", ErrBackwards.Key)
		}
	}
	if expr != nil {
		k.timing = &Timing{Expr: expr, Zone: zone, Start: k.start, End: k.end}
	}
	return zone
}

// loadZone refuses what the library would take for the zone of the computer.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, errors.New("schedule: no time zone")
	}
	return time.LoadLocation(name)
}

func bound(c *fault.Collector, name, text string, zone *time.Location) time.Time {
	if text == "" {
		c.Add(name, "schedule.required")
		return time.Time{}
	}
	t, err := Wall(text, zone)
	if err != nil || t.Year() < firstYear || t.Year() > lastYear {
		c.Add(name, "schedule.time_form", "value", text)
		return time.Time{}
	}
	return t.UTC()
}

// reason is what is wrong with an expression, in the reader's language.
func reason(ctx context.Context, err error) string {
	if e, ok := errors.AsType[*cron.Error](err); ok {
		return e.Message(string(i18n.FromContext(ctx)))
	}
	return err.Error()
}

func encodeParams(list []flow.Property) (string, error) {
	if len(list) == 0 {
		return "[]", nil
	}
	if len(list) > maxParams {
		return "", errors.New("too many")
	}
	seen := map[string]bool{}
	for _, p := range list {
		if p.Prop == "" || seen[p.Prop] {
			return "", errors.New(`"` + p.Prop + `"`)
		}
		seen[p.Prop] = true
	}
	raw, err := json.Marshal(list)
	return string(raw), err
}

// checkKnown looks whether what a draft names exists.
func (s *Service) checkKnown(ctx context.Context, d Draft, c *fault.Collector) error {
	if d.TenantCode != tenant.Default {
		if ok, err := s.Tenants.Exists(ctx, d.TenantCode); err != nil {
			return err
		} else if !ok {
			c.Add("tenant", ErrTenant.Key, "code", d.TenantCode)
		}
	}
	if !s.Projects.Access.MayUseWorkerGroup(ctx, d.WorkerGroup) {
		c.Add("worker_group", "workergroup.error.denied", "name", d.WorkerGroup)
	}
	if s.Known.WorkerGroup != nil && d.WorkerGroup != "default" {
		if ok, err := s.Known.WorkerGroup(ctx, d.WorkerGroup); err != nil {
			return err
		} else if !ok {
			c.Add("worker_group", "schedule.worker_group_unknown", "name", d.WorkerGroup)
		}
	}
	if s.Known.Environment != nil && d.EnvironmentCode > 0 {
		if ok, err := s.Known.Environment(ctx, d.EnvironmentCode); err != nil {
			return err
		} else if !ok {
			c.Add("environment", ErrEnvironment.Key, "code", d.EnvironmentCode)
		}
	}
	if s.Known.WarningGroup != nil && d.WarningType != flow.WarningNone && d.WarningGroupID > 0 {
		if ok, err := s.Known.WarningGroup(ctx, d.WarningGroupID); err != nil {
			return err
		} else if !ok {
			c.Add("warning_group", "schedule.warning_group_unknown", "id", d.WarningGroupID)
		}
	}
	return nil
}

// workdays returns what decides about the days of a draft's calendar, nil without one.
func (s *Service) workdays(ctx context.Context, id int64, c *fault.Collector) (Workdays, error) {
	if id == 0 {
		return nil, nil
	}
	if s.Calendars == nil {
		c.Add("calendar", "schedule.calendar_unknown", "id", id)
		return nil, nil
	}
	days, ok, err := s.Calendars.Workdays(ctx, id)
	if err == nil && !ok {
		c.Add("calendar", "schedule.calendar_unknown", "id", id)
	}
	return days, err
}
