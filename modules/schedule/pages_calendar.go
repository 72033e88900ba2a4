package schedule

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/views/components"
	view "dorado/views/schedule"
)

const (
	mostLanes   = 60   // workflows in the calendar
	mostPast    = 2000 // runs that are read for it
	mostPlanned = 5000
	lookBack    = 24 * time.Hour // a run that began so long before the first hour is still seen
	densitySlot = 8              // units of the drawing
)

// drawing lays out the runs of a time span.
type drawing struct {
	from, to time.Time
	now      time.Time
	lanes    map[int64]*lane
	slots    []int
}

type lane struct {
	code  int64
	name  string
	first time.Time
	marks []mark
}

type mark struct {
	from, to time.Time
	state    flow.WorkflowState // "" = to come
	url      string
	count    int // planned runs in one place
}

// calendar shows what ran and what will run in a day or a week.
func (p pages) calendar(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	l, err := p.place(r)
	if err != nil {
		return nil, err
	}
	week := r.URL.Query().Get("view") == "week"
	d := drawing{now: p.now(), lanes: map[int64]*lane{}}
	d.from, d.to = span(d.now, i18n.Zone(ctx), r.URL.Query().Get("date"), week)
	v := view.CalendarPage{Zone: i18n.Zone(ctx).String(), ListURL: l.list(), Now: -1}
	cut, err := p.past(ctx, l, &d, &v)
	if err != nil {
		return nil, err
	}
	more, err := p.planned(ctx, l, &d, &v)
	if err != nil {
		return nil, err
	}
	here := project.Address(l.owner.Code, "/calendar")
	days := 1
	if week {
		days = 7
	}
	address := func(day time.Time, week bool) string {
		kind := "day"
		if week {
			kind = "week"
		}
		return here + "?view=" + kind + "&date=" + day.Format(time.DateOnly)
	}
	v.BackURL, v.NextURL = address(d.from.AddDate(0, 0, -days), week), address(d.from.AddDate(0, 0, days), week)
	v.TodayURL = address(d.now.In(i18n.Zone(ctx)), week)
	v.Views = []components.Tab{
		{Label: i18n.T(ctx, "timing.view.day"), URL: address(d.from, false), Current: !week, Test: "calendar.day"},
		{Label: i18n.T(ctx, "timing.view.week"), URL: address(d.from, true), Current: week, Test: "calendar.week"},
	}
	v.Title = d.from.Format(time.DateOnly) + " " + i18n.T(ctx, "cron.weekday."+strconv.Itoa(int(d.from.Weekday())+1))
	if week {
		v.Title = d.from.Format(time.DateOnly) + " – " + d.to.AddDate(0, 0, -1).Format(time.DateOnly)
	}
	hidden := d.draw(ctx, l, &v, week)
	switch {
	case hidden > 0:
		v.Note = i18n.T(ctx, "timing.calendar_lanes", "shown", mostLanes, "count", hidden)
	case cut || more:
		v.Note = i18n.T(ctx, "timing.calendar_cut")
	}
	v.Shell = p.frame.InProject(r, project.Ref(l.owner), i18n.T(ctx, "timing.calendar_view"))
	return web.Page(view.Calendar(v)), nil
}

// span is the day or the week, from Monday on, that holds a date; today when there is none.
func span(now time.Time, zone *time.Location, date string, week bool) (from, to time.Time) {
	day, err := time.ParseInLocation(time.DateOnly, date, zone)
	if err != nil || day.Year() < firstYear || day.Year() > 9000 {
		day = now.In(zone)
	}
	y, m, n := day.Date()
	if week {
		n -= (int(day.Weekday()) + 6) % 7
		return time.Date(y, m, n, 0, 0, 0, 0, zone), time.Date(y, m, n+7, 0, 0, 0, 0, zone)
	}
	return time.Date(y, m, n, 0, 0, 0, 0, zone), time.Date(y, m, n+1, 0, 0, 0, 0, zone)
}

// past reads what ran. It reports whether that was not all.
func (p pages) past(ctx context.Context, l place, d *drawing, v *view.CalendarPage) (cut bool, err error) {
	if p.Runs == nil || d.from.After(d.now) {
		return false, nil
	}
	f := instance.Filter{Range: instance.Range{From: d.from.Add(-lookBack).UTC(), To: d.to.UTC()}}
	for number := 1; ; number++ {
		page, err := p.Runs.List(ctx, l.owner.Code, listing.New(instance.Spec(), number, listing.MaxSize, ""), f)
		if err != nil {
			return false, err
		}
		for k := range page.Items {
			i := &page.Items[k]
			end := d.now
			if i.EndTime != nil {
				end = *i.EndTime
			}
			if end.Before(d.from) {
				continue
			}
			v.Past++
			d.put(i.WorkflowCode, i.WorkflowName, mark{
				from: i.Began(), to: end, state: i.State, url: project.Address(l.owner.Code, "/instances/"+strconv.FormatInt(i.ID, 10)),
			})
		}
		if read := number * listing.MaxSize; len(page.Items) == 0 || read >= page.Total || read >= mostPast {
			return page.Total > mostPast, nil
		}
	}
}

// planned computes what will run. It reports whether that was not all.
func (p pages) planned(ctx context.Context, l place, d *drawing, v *view.CalendarPage) (more bool, err error) {
	from := d.from.Add(-time.Second)
	if d.now.After(from) {
		from = d.now
	}
	if !from.Before(d.to) {
		return false, nil
	}
	fires, more, err := p.Between(ctx, l.owner.Code, from, d.to.Add(-time.Second), mostPlanned)
	if err != nil {
		return false, err
	}
	codes := map[int64]bool{}
	for k := range fires {
		codes[fires[k].Schedule.WorkflowCode] = true
	}
	usual, err := p.usual(ctx, codes)
	if err != nil {
		return false, err
	}
	for k := range fires {
		s := &fires[k].Schedule
		v.Planned++
		took := usual[s.WorkflowCode]
		d.put(s.WorkflowCode, s.WorkflowName, mark{from: fires[k].Due, to: fires[k].Due.Add(took), url: address(s), count: 1})
	}
	return more, nil
}

// usual is how long the runs of workflows take.
func (p pages) usual(ctx context.Context, codes map[int64]bool) (map[int64]time.Duration, error) {
	out := make(map[int64]time.Duration, len(codes))
	if p.Runs == nil || len(codes) == 0 {
		return out, nil
	}
	list := make([]int64, 0, len(codes))
	for code := range codes {
		list = append(list, code)
	}
	runs, err := p.Runs.RunHistory(ctx, list)
	if err != nil {
		return nil, err
	}
	for code, some := range runs {
		out[code] = median(some, 1)
	}
	return out, nil
}

// median is the middle duration of the runs that succeeded; 0 when there are fewer than enough of them.
func median(runs []instance.Run, enough int) time.Duration {
	var took []time.Duration
	for _, r := range runs {
		if r.State == flow.WorkflowSuccess {
			took = append(took, r.Took)
		}
	}
	if len(took) < enough {
		return 0
	}
	slices.Sort(took)
	return took[len(took)/2]
}

func (d *drawing) put(code int64, name string, m mark) {
	l := d.lanes[code]
	if l == nil {
		l = &lane{code: code, name: name, first: m.from}
		d.lanes[code] = l
	}
	if m.from.Before(l.first) {
		l.first = m.from
	}
	l.marks = append(l.marks, m)
}

// x is the place of a moment in the drawing.
func (d *drawing) x(t time.Time) int {
	return int(min(max(t.Sub(d.from), 0), d.to.Sub(d.from)) * view.Span / d.to.Sub(d.from))
}

// draw turns the runs into the view, and reports how many workflows did not fit.
func (d *drawing) draw(ctx context.Context, l place, v *view.CalendarPage, week bool) (hidden int) {
	d.count()
	lanes := make([]*lane, 0, len(d.lanes))
	for _, one := range d.lanes {
		lanes = append(lanes, one)
	}
	slices.SortFunc(lanes, func(a, b *lane) int {
		if c := a.first.Compare(b.first); c != 0 {
			return c
		}
		return compare(a.name, b.name)
	})
	for n, one := range lanes {
		marks := d.marks(ctx, one)
		if n < mostLanes {
			v.Rows = append(v.Rows, view.Lane{Name: one.name, URL: project.Address(l.owner.Code, "/workflows/"+strconv.FormatInt(one.code, 10)), Marks: marks})
		}
	}
	for n, count := range d.slots {
		if count == 0 {
			continue
		}
		v.Peak = max(v.Peak, count)
		if last := len(v.Density) - 1; last >= 0 && v.Density[last].Count == count && v.Density[last].X+v.Density[last].Width == n*densitySlot {
			v.Density[last].Width += densitySlot
		} else {
			v.Density = append(v.Density, view.Step{X: n * densitySlot, Width: densitySlot, Count: count})
		}
	}
	if !d.now.Before(d.from) && d.now.Before(d.to) {
		v.Now = d.x(d.now)
	}
	v.Ticks = d.ticks(ctx, week)
	return max(0, len(lanes)-mostLanes)
}

// count finds how many runs there are at once: for each slot the most at any moment of it.
func (d *drawing) count() {
	d.slots = make([]int, view.Span/densitySlot+1)
	type edge struct {
		at   time.Time
		step int
	}
	var edges []edge
	for _, one := range d.lanes {
		for _, m := range one.marks {
			end := m.to
			if !end.After(m.from) {
				end = m.from.Add(time.Second)
			}
			if end.After(d.from) && m.from.Before(d.to) {
				edges = append(edges, edge{m.from, 1}, edge{end, -1})
			}
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return a.step - b.step
	})
	now := 0
	for n, e := range edges {
		now += e.step
		if now == 0 || n+1 == len(edges) {
			continue
		}
		for slot := d.x(e.at) / densitySlot; slot <= d.x(edges[n+1].at)/densitySlot; slot++ {
			d.slots[slot] = max(d.slots[slot], now)
		}
	}
}

// marks draws the runs of a workflow; planned runs that fall into one place become one mark.
func (d *drawing) marks(ctx context.Context, one *lane) []view.Mark {
	slices.SortFunc(one.marks, func(a, b mark) int { return a.from.Compare(b.from) })
	var out []view.Mark
	var last mark
	for _, m := range one.marks {
		x, end := d.x(m.from), d.x(m.to)
		if k := len(out) - 1; m.state == "" && k >= 0 && out[k].State == "" && x < out[k].X+4 {
			last.count++
			last.to = m.to
			out[k].Width = max(out[k].Width, end-out[k].X)
			out[k].Title = i18n.T(ctx, "timing.mark.many", "name", one.name, "count", last.count, "from", i18n.DateTime(ctx, last.from), "to", i18n.DateTime(ctx, m.from))
			continue
		}
		last = m
		title := i18n.T(ctx, "timing.mark.ahead", "name", one.name, "at", i18n.DateTime(ctx, m.from))
		if m.state != "" {
			title = i18n.T(ctx, "timing.mark.past", "name", one.name, "at", i18n.DateTime(ctx, m.from), "state", components.StateLabel(ctx, string(m.state)), "took", i18n.Duration(ctx, m.to.Sub(m.from)))
		}
		out = append(out, view.Mark{X: x, Width: max(4, end-x), State: string(m.state), Title: title, URL: m.url})
	}
	return out
}

// ticks is the scale: hours of a day, or days of a week.
func (d *drawing) ticks(ctx context.Context, week bool) []view.Tick {
	var out []view.Tick
	if week {
		for day := d.from; day.Before(d.to); day = day.AddDate(0, 0, 1) {
			label := i18n.T(ctx, "cron.weekday."+strconv.Itoa(int(day.Weekday())+1)) + " " + day.Format("01-02")
			out = append(out, view.Tick{X: d.x(day), Label: label})
		}
		return out
	}
	for at := d.from; at.Before(d.to); at = at.Add(time.Hour) {
		t := view.Tick{X: d.x(at), Minor: at.Hour()%3 != 0}
		if !t.Minor {
			t.Label = at.Format("15:04")
		}
		out = append(out, t)
	}
	return out
}
