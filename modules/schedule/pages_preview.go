package schedule

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/flow/cron"
	view "dorado/views/schedule"
)

const (
	// shownFires is how many fires the timing dialog shows.
	shownFires = 10
	// enoughRuns is how many runs must have succeeded before their duration means something.
	enoughRuns = 3

	bizDate = "20060102"
)

// preview answers the cron field while somebody types.
func (p pages) preview(r *http.Request) (web.Response, error) {
	l, err := p.place(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	v, err := p.look(r.Context(), l, readDraft(r, f))
	if err != nil {
		return nil, err
	}
	return web.Page(view.PreviewPart(v)), nil
}

// look says what a draft means: words, the next fires, and what one should know about them.
func (p pages) look(ctx context.Context, l place, d Draft) (view.Preview, error) {
	d = d.tidy()
	v := view.Preview{Expression: d.Crontab}
	expr, err := cron.Parse(d.Crontab)
	if wrong, ok := errors.AsType[*cron.Error](err); ok {
		v.Error = wrong.Message(string(i18n.FromContext(ctx)))
		if wrong.Field != cron.Whole {
			v.Before, v.Marked, v.After = d.Crontab[:wrong.Start], d.Crontab[wrong.Start:wrong.End], d.Crontab[wrong.End:]
		}
		return v, nil
	}
	v.Words, v.Often = expr.Words(string(i18n.FromContext(ctx))), often(ctx, expr)
	v.Quartz, _ = expr.Quartz()
	if n := expr.PerMinute(); n > 1 {
		v.Warnings = append(v.Warnings, i18n.T(ctx, "timing.warn.minute", "count", n))
	}
	if expr.EitherDay() {
		v.Warnings = append(v.Warnings, i18n.T(ctx, "timing.warn.either"))
	}
	fires, err := p.Preview(ctx, l.owner.Code, d, shownFires)
	if wrong, ok := errors.AsType[*fault.Error](err); ok && wrong.Kind == fault.Invalid && len(wrong.Fields) > 0 {
		v.Note = i18n.T(ctx, wrong.Fields[0].Key, wrong.Fields[0].Pairs()...)
		return v, nil
	}
	if err != nil {
		return v, err
	}
	zone, err := loadZone(d.TimeZone)
	if err != nil {
		return v, err // Preview has read it already
	}
	v.Zone = zone.String()
	if mine := i18n.Zone(ctx); mine.String() != v.Zone {
		v.ViewerZone = mine.String()
	}
	for _, f := range fires {
		v.Rows = append(v.Rows, previewRow(ctx, expr, f, zone))
	}
	switch {
	case len(fires) == 0:
		v.Note = i18n.T(ctx, "timing.no_fire")
	case len(fires) < shownFires:
		v.Note = i18n.T(ctx, "timing.few_fires", "count", len(fires))
	}
	if len(fires) > 0 {
		v.Warnings = append(v.Warnings, clockChanges(ctx, expr, fires[len(fires)-1].Nominal.In(zone))...)
	}
	note, err := p.collision(ctx, l, fires)
	if note != "" {
		v.Warnings = append(v.Warnings, note)
	}
	return v, err
}

func previewRow(ctx context.Context, expr *cron.Expr, f Fire, zone *time.Location) view.PreviewRow {
	nominal := f.Nominal.In(zone)
	row := view.PreviewRow{
		At: localDay(ctx, f.Due.In(zone)), Viewer: localDay(ctx, f.Due.In(i18n.Zone(ctx))), BizDate: nominal.AddDate(0, 0, -1).Format(bizDate),
	}
	if !f.Due.Equal(f.Nominal) {
		row.Note = i18n.T(ctx, "timing.moved", "day", nominal.Format(time.DateOnly))
	} else if shift := shiftName(expr.Shift(nominal)); shift != "" {
		row.Note = i18n.T(ctx, "timing.dst.row."+shift)
	}
	return row
}

// localDay writes a time with its weekday in the viewer's language and its offset.
func localDay(ctx context.Context, t time.Time) string {
	return t.Format("2006-01-02") + " " + i18n.T(ctx, "cron.weekday."+string(rune('1'+int(t.Weekday())))) + " " + t.Format("15:04:05 -07:00")
}

func shiftName(s cron.Shift) string {
	switch s {
	case cron.ShiftMoved:
		return "moved"
	case cron.ShiftOnce:
		return "once"
	case cron.ShiftFirst:
		return "first"
	case cron.ShiftAgain:
		return "again"
	case cron.ShiftNone:
	}
	return ""
}

// often says how many runs there are in a day, or in the shortest longer time that has one.
func often(ctx context.Context, e *cron.Expr) string {
	perDay := e.PerDay()
	for _, unit := range []struct {
		key  string
		days float64
	}{{"timing.per_day", 1}, {"timing.per_week", 7}, {"timing.per_month", 365.25 / 12}, {"timing.per_year", 365.25}} {
		n := perDay * unit.days
		if n < 0.95 {
			continue
		}
		text := i18n.T(ctx, unit.key, "count", int(math.Round(n)))
		if math.Abs(n-math.Round(n)) > 0.001*n {
			return i18n.T(ctx, "timing.about", "often", text)
		}
		return text
	}
	return i18n.T(ctx, "timing.rarely")
}

// clockChanges says what the next two changes of the clock after a time do to the fires, where they do something.
func clockChanges(ctx context.Context, e *cron.Expr, after time.Time) []string {
	var notes []string
	at := after
	for range 2 {
		_, change := at.ZoneBounds()
		if change.IsZero() || change.Sub(after) > 400*24*time.Hour {
			break
		}
		at = change
		seen := map[cron.Shift]bool{}
		fires, _ := e.Between(change.Add(-3*time.Hour), change.Add(3*time.Hour), 500)
		for _, f := range fires {
			shift := e.Shift(f)
			if shift != cron.ShiftMoved && shift != cron.ShiftOnce || seen[shift] { // that "hourly" means every hour surprises nobody
				continue
			}
			seen[shift] = true
			notes = append(notes, i18n.T(ctx, "timing.dst.on", "at", localDay(ctx, f), "what", i18n.T(ctx, "timing.dst."+shiftName(shift))))
		}
	}
	return notes
}

// collision compares how long runs take with how far they are apart.
func (p pages) collision(ctx context.Context, l place, fires []Fire) (string, error) {
	if p.Runs == nil || len(fires) < 2 {
		return "", nil
	}
	took, err := p.median(ctx, l.workflow.Code)
	if err != nil || took == 0 {
		return "", err
	}
	apart := time.Duration(math.MaxInt64)
	for k := 1; k < len(fires); k++ {
		apart = min(apart, fires[k].Due.Sub(fires[k-1].Due))
	}
	if took <= apart {
		return "", nil
	}
	kind := l.workflow.ExecutionType
	if kind == "" {
		kind = flow.Parallel
	}
	return i18n.T(ctx, "timing.collision", "took", i18n.Duration(ctx, took), "apart", i18n.Duration(ctx, apart), "what", i18n.T(ctx, "timing.collision."+string(kind))), nil
}

// median is how long the runs of a workflow take that succeed; 0 when there are too few of them.
func (p pages) median(ctx context.Context, workflow int64) (time.Duration, error) {
	runs, err := p.Runs.RunHistory(ctx, []int64{workflow})
	if err != nil {
		return 0, err
	}
	return median(runs[workflow], enoughRuns), nil
}
