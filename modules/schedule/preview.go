package schedule

import (
	"context"
	"fmt"
	"slices"
	"time"

	"dorado/app/kit/fault"
	"dorado/modules/flow/cron"
)

// MaxPreview bounds how many fires Preview computes.
const MaxPreview = 1000

// Preview returns the next n fires of a schedule as it would be, were it online from now on. Only what decides about times
// must be right in the draft. It returns field faults.
func (s *Service) Preview(ctx context.Context, project int64, d Draft, n int) ([]Fire, error) {
	if _, err := s.Projects.Require(ctx, project, Read); err != nil {
		return nil, err
	}
	var c fault.Collector
	k := checked{Draft: d.tidy()}
	choose(&c, "calendar_policy", &k.CalendarPolicy, CalendarPolicies())
	k.when(ctx, &c)
	days, err := s.workdays(ctx, d.CalendarID, &c)
	if err != nil {
		return nil, err
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	k.timing.Calendar, k.timing.Policy = days, k.CalendarPolicy
	return k.timing.Upcoming(s.now(), min(n, MaxPreview)), nil
}

// Timing is what decides when a schedule fires.
func (s *Service) Timing(ctx context.Context, r *Schedule) (*Timing, error) {
	return timing(ctx, r, s.Calendars)
}

func timing(ctx context.Context, r *Schedule, calendars Calendars) (*Timing, error) {
	expr, err := cron.Parse(r.Crontab)
	if err != nil {
		return nil, fmt.Errorf("schedule %d: %w", r.ID, err)
	}
	zone, err := loadZone(r.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("schedule %d: %w", r.ID, err)
	}
	t := &Timing{Expr: expr, Zone: zone, Start: r.Start, End: r.End, Policy: r.CalendarPolicy}
	if r.CalendarID != nil && calendars != nil {
		days, ok, err := calendars.Workdays(ctx, *r.CalendarID)
		if err != nil {
			return nil, err
		}
		if ok {
			t.Calendar = days
		}
	}
	return t, nil
}

// Upcoming returns the next n fires of each schedule, by id. A schedule that is offline fires as if it went online now.
func (s *Service) Upcoming(ctx context.Context, list []Schedule, n int) (map[int64][]Fire, error) {
	now := s.now()
	out := make(map[int64][]Fire, len(list))
	for k := range list {
		t, err := timing(ctx, &list[k], s.Calendars)
		if err != nil {
			return nil, err
		}
		out[list[k].ID] = t.Upcoming(now, min(n, MaxPreview))
	}
	return out, nil
}

// Planned is a fire of a schedule.
type Planned struct {
	Fire
	Schedule Schedule
}

// Between returns what the online schedules of a project fire in (from, to], in order; at most limit of it, and whether
// there is more.
func (s *Service) Between(ctx context.Context, project int64, from, to time.Time, limit int) (fires []Planned, more bool, err error) {
	all, err := s.All(ctx, project)
	if err != nil {
		return nil, false, err
	}
	for k := range all {
		if !all[k].Online() {
			continue
		}
		t, err := timing(ctx, &all[k], s.Calendars)
		if err != nil {
			return nil, false, err
		}
		for at, n := After(from), 0; ; n++ {
			f, ok := t.Next(at)
			if !ok || f.Due.After(to) {
				break
			}
			if n == limit {
				more = true
				break
			}
			fires, at = append(fires, Planned{f, all[k]}), f
		}
	}
	slices.SortFunc(fires, func(a, b Planned) int {
		if c := a.Due.Compare(b.Due); c != 0 {
			return c
		}
		return int(a.Schedule.ID - b.Schedule.ID)
	})
	if len(fires) > limit {
		fires, more = fires[:limit], true
	}
	return fires, more, nil
}
