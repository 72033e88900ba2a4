package instance

import (
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	"dorado/views/components"
	view "dorado/views/instance"
)

// The timeline's picture: names at the left, time from ganttLeft to ganttRight.
const (
	ganttLeft  = 190.0
	ganttRight = 1060.0
	ganttRows  = 500
	minimumBar = 4.0
)

// gantt lays the attempts of the latest run over time, in the order in which the tasks began.
func (p pages) gantt(ctx context.Context, d *Detail) view.Gantt {
	now := p.now()
	from, to := d.Began(), now
	if d.EndTime != nil {
		to = *d.EndTime
	}
	nodes := make([]*Node, 0, len(d.Nodes))
	for n := range d.Nodes {
		nodes = append(nodes, &d.Nodes[n])
		for _, a := range d.Nodes[n].All { // a recovered run shows what an earlier one left standing
			if a.Valid && a.SubmitTime.Before(from) {
				from = a.SubmitTime
			}
		}
	}
	slices.SortStableFunc(nodes, func(a, b *Node) int { return began(a).Compare(began(b)) })
	path := d.critical(now)
	g := view.Gantt{
		Title: i18n.T(ctx, "instance.timeline.title", "count", len(nodes)), CSVURL: address(d.ProjectCode, d.ID) + "/timeline.csv", Critical: d.criticalWords(ctx, path),
	}
	if len(nodes) > ganttRows {
		nodes = nodes[:ganttRows]
	}
	length := max(to.Sub(from), 100*time.Millisecond)
	x := func(t time.Time) float64 {
		return ganttLeft + (ganttRight-ganttLeft)*float64(min(max(t.Sub(from), 0), length))/float64(length)
	}
	for t := time.Duration(0); t <= length; t += step(length) {
		g.Ticks = append(g.Ticks, view.Tick{X: coordinate(x(from.Add(t))), Label: i18n.Duration(ctx, t)})
	}
	if d.EndTime == nil {
		g.Now = coordinate(x(now))
	}
	for k, n := range nodes {
		b, line := bar(ctx, d, n, from, now, x, 26+26*k), d.ganttLine(n, path, now)
		if b.Critical = line.Critical; b.Critical {
			b.Title += ", " + i18n.T(ctx, "operate.gantt.on_path")
		} else if line.Slack >= 0 {
			b.Title += ", " + i18n.T(ctx, "operate.gantt.slack_of", "slack", i18n.Duration(ctx, line.Slack))
		}
		g.Bars, g.Lines = append(g.Bars, b), append(g.Lines, line)
	}
	return g
}

// criticalWords names the critical path: "3 tasks, 2m 10s: a → b → c".
func (d *Detail) criticalWords(ctx context.Context, path criticalPath) string {
	if len(path.nodes) == 0 {
		return ""
	}
	names := make([]string, 0, len(path.nodes))
	for k, n := range path.nodes {
		if k >= 4 && k < len(path.nodes)-4 {
			if k == 4 {
				names = append(names, "…")
			}
			continue
		}
		names = append(names, d.Nodes[n].Task.Name)
	}
	return i18n.T(ctx, "operate.gantt.words", "count", len(path.nodes), "length", i18n.Duration(ctx, path.length), "tasks", strings.Join(names, " → "))
}

// ganttLine is a task of the table.
func (d *Detail) ganttLine(n *Node, path criticalPath, now time.Time) view.GanttLine {
	at := d.program.graph.Index[n.Task.Code]
	l := view.GanttLine{
		Name: n.Task.Name, URL: address(d.ProjectCode, d.ID) + "?task=" + strconv.FormatInt(n.Task.Code, 10), State: n.State, Slack: path.slack[at], Critical: path.on[at],
	}
	a := n.Current
	if a == nil {
		return l
	}
	l.Submitted, l.Ran = a.SubmitTime, a.Duration(now)
	l.Waited = now.Sub(a.SubmitTime)
	if a.EndTime != nil {
		l.Ended, l.Waited = *a.EndTime, a.EndTime.Sub(a.SubmitTime)
	}
	if a.StartTime != nil {
		l.Started, l.Waited = *a.StartTime, a.StartTime.Sub(a.SubmitTime)
	}
	return l
}

// timelineCSV is the timeline as a file: times in UTC, lengths in seconds.
func (p pages) timelineCSV(r *http.Request) (web.Response, error) {
	owner, i, err := p.instance(r)
	if err != nil {
		return nil, err
	}
	d, err := p.Detail(r.Context(), owner.Code, i.ID)
	if err != nil {
		return nil, err
	}
	now := p.now()
	path := d.critical(now)
	return web.Download(d.Name+".csv", func(to io.Writer) error {
		w := csv.NewWriter(to)
		rows := [][]string{{"task", "type", "state", "submitted", "started", "ended", "waited_seconds", "ran_seconds", "slack_seconds", "critical"}}
		for n := range d.Nodes {
			node := &d.Nodes[n]
			l := d.ganttLine(node, path, now)
			slack := ""
			if l.Slack >= 0 {
				slack = seconds(l.Slack)
			}
			rows = append(rows, []string{
				cell(l.Name), node.Task.Type, l.State, isoTime(l.Submitted), isoTime(l.Started), isoTime(l.Ended), seconds(l.Waited), seconds(l.Ran), slack,
				strconv.FormatBool(l.Critical),
			})
		}
		return w.WriteAll(rows)
	}), nil
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }

func isoTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// cell keeps a spreadsheet from taking a name for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func bar(ctx context.Context, d *Detail, n *Node, from, now time.Time, x func(time.Time) float64, y int) view.GanttBar {
	b := view.GanttBar{Name: short(n.Task.Name), State: n.State, Y: y, LabelX: coordinate(ganttLeft + 7), URL: address(d.ProjectCode, d.ID) + "?task=" + strconv.FormatInt(n.Task.Code, 10)}
	words := []string{n.Task.Name, components.StateLabel(ctx, n.State)}
	for _, a := range n.All {
		if a.EndTime != nil && a.EndTime.Before(from) {
			continue // of an earlier run
		}
		start, end := now, now
		if a.EndTime != nil {
			start, end = *a.EndTime, *a.EndTime
		}
		if a.StartTime != nil {
			start = *a.StartTime
		}
		if w := x(start) - x(a.SubmitTime); w > 0.5 {
			b.Parts = append(b.Parts, view.GanttPart{X: coordinate(x(a.SubmitTime)), Width: coordinate(w), Waiting: true})
		}
		if a.StartTime != nil {
			b.Parts = append(b.Parts, view.GanttPart{X: coordinate(x(start)), Width: coordinate(max(minimumBar, x(end)-x(start))), State: string(a.State)})
			b.LabelX, b.Label = coordinate(max(x(end), x(start)+minimumBar)+7), i18n.Duration(ctx, end.Sub(start))
			words = append(words, i18n.T(ctx, "instance.timeline.part", "waited", i18n.Duration(ctx, start.Sub(a.SubmitTime)), "ran", i18n.Duration(ctx, end.Sub(start))))
		}
		if a.Valid && a.Attempt > 0 {
			b.Label += ", " + attemptLabel(ctx, &a)
		}
	}
	if b.Label == "" {
		b.Label = components.StateLabel(ctx, n.State)
	}
	b.Title = strings.Join(words, ", ")
	return b
}

// began is when a task's first attempt of those that count was submitted; far in the future without one.
func began(n *Node) time.Time {
	if n.Current != nil {
		return n.Current.FirstSubmitTime
	}
	if n.State == string(flow.TaskSubmitted) || n.In {
		return time.Unix(1<<40, 0)
	}
	return time.Unix(1<<41, 0)
}

// step is a round length that cuts the axis into at most nine.
func step(length time.Duration) time.Duration {
	for _, s := range []time.Duration{
		20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
		2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
	} {
		if length <= 8*s && (s >= time.Second || length <= time.Second) { // labels have no fractions of seconds
			return s
		}
	}
	return length / 8
}

func coordinate(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

const nameWidth = 26 // characters beside the bars

func short(s string) string {
	r := []rune(s)
	if len(r) <= nameWidth {
		return s
	}
	return string(r[:nameWidth-1]) + "…"
}
