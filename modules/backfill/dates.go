package backfill

import (
	"context"
	"slices"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow/cron"
	"dorado/modules/instance"
)

// daily is when a workflow without a schedule is due.
const daily = "0 0 0 * * ? *"

// timer is what a schedule that is online says about dates.
type timer struct {
	ID       int64  `db:"id"`
	Crontab  string `db:"crontab"`
	TimeZone string `db:"time_zone"`
	Revision int    `db:"revision"`
}

// zoneOf is the zone in which the dates of a workflow are written: that of its first schedule, else the one that was asked
// for.
func zoneOf(timers []timer, asked string) (*time.Location, error) {
	if len(timers) > 0 {
		asked = timers[0].TimeZone
	}
	zone, err := time.LoadLocation(asked)
	if err != nil || asked == "Local" {
		return nil, instance.ErrStartRequest.With("field", "timeZone", "reason", asked)
	}
	return zone, nil
}

// Zone is the zone in which the dates of a workflow are written; it is instance.Backfills. It returns
// instance.ErrStartRequest for a zone that does not exist.
func (s *Service) Zone(ctx context.Context, workflow int64, asked string) (*time.Location, bool, error) {
	timers, err := s.store.timers(ctx, workflow)
	if err != nil {
		return nil, false, err
	}
	zone, err := zoneOf(timers, asked)
	return zone, len(timers) > 0, err
}

// dates are the instants that a request names, in the order in which they are to run.
func dates(r *instance.BackfillRequest, timers []timer, zone *time.Location) ([]time.Time, error) {
	var list []time.Time
	var err error
	switch {
	case len(r.Dates) > 0:
		list = slices.Clone(r.Dates)
	case r.From.IsZero() || r.To.IsZero():
		return nil, ErrNoDates
	case r.To.Before(r.From):
		return nil, ErrRange
	case r.From.Equal(r.To):
		list = []time.Time{r.From}
	default:
		if list, err = due(r.From, r.To, timers, zone); err != nil {
			return nil, err
		}
	}
	for k := range list {
		list[k] = db.Cut(list[k])
	}
	slices.SortFunc(list, time.Time.Compare)
	list = slices.CompactFunc(list, time.Time.Equal)
	switch {
	case len(list) == 0:
		return nil, ErrNoDates
	case len(r.Dates) > 0 && len(list) > MaxListed:
		return nil, ErrTooLong.With("max", MaxListed, "count", len(list))
	case len(list) > MaxDates:
		return nil, ErrTooMany.With("max", MaxDates)
	}
	if !r.Ascending {
		slices.Reverse(list)
	}
	return list, nil
}

// due lists when the schedules are due from one instant to another, both included; each day when there are none. It gives
// up above MaxDates: a year of seconds is thirty million.
func due(from, to time.Time, timers []timer, zone *time.Location) ([]time.Time, error) {
	if len(timers) == 0 {
		timers = []timer{{Crontab: daily, TimeZone: zone.String()}}
	}
	var list []time.Time
	for _, t := range timers {
		expr, err := cron.Parse(t.Crontab)
		if err != nil {
			return nil, ErrCron.With("cron", t.Crontab).Because(err)
		}
		loc, err := time.LoadLocation(t.TimeZone)
		if err != nil {
			return nil, instance.ErrStartRequest.With("field", "timeZone", "reason", t.TimeZone)
		}
		fires, more := expr.Between(from.In(loc), to, MaxDates)
		if more {
			return nil, ErrTooMany.With("max", MaxDates)
		}
		list = append(list, fires...)
	}
	return list, nil
}

// width is how many dates run at once.
func width(asked, runs int) (int, error) {
	if asked < 0 || asked > MaxDates {
		return 0, ErrWidth.With("max", MaxDates)
	}
	if asked == 0 {
		asked = runs
	}
	return max(1, min(asked, runs)), nil
}
