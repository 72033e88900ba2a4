package text

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"dorado/modules/flow"
)

// Timer is a schedule as a text says it. A text that leaves a field out means its default; what a field refers to is a name.
// Schedules are no part of a definition: they belong to the workflow and not to its versions.
type Timer struct {
	Name                     string // its key in the text
	Cron, Zone               string
	Start, End               string // wall-clock times in Zone
	Online                   bool
	Missed                   string
	Calendar, CalendarPolicy string
	DoneBy                   string
	Failure                  string
	Warning, WarningGroup    string
	Priority                 string
	WorkerGroup, Tenant      string
	Environment              string
	Params                   []flow.Property
}

// What the range of a schedule is when a text does not say.
const (
	Always  = "1970-01-01 00:00:00"
	Forever = "9999-12-31 00:00:00"
)

func timerFields() []field {
	return []field{
		{name: "cron", of: "crontab", kind: "string", help: "When it fires: a cron expression of Quartz or Unix."},
		{name: "timeZone", of: "time_zone", kind: "string", help: "Zone of the expression and of start and end, such as Europe/Berlin."},
		{name: "start", of: "start_time", kind: "string", help: "First moment, as 2026-01-31 or 2026-01-31 12:00:00.", def: Always},
		{name: "end", of: "end_time", kind: "string", help: "Last moment.", def: Forever},
		{name: "state", of: "state", kind: "string", enum: []string{"OFFLINE", "ONLINE"}, def: "OFFLINE", help: "ONLINE: it fires, as soon as the workflow is online."},
		{
			name: "missed", of: "misfire", kind: "string", enum: []string{"FIRE_ALL_MISSED", "FIRE_ONCE_NOW", "SKIP_MISSED"}, def: "FIRE_ALL_MISSED",
			help: "What becomes of fires that nobody was there to make.",
		},
		{name: "calendar", of: "calendar", kind: "#reference", help: "Business calendar, by name."},
		{
			name: "calendarPolicy", of: "calendar_policy", kind: "string", enum: []string{"SKIP", "NEXT_WORKDAY", "PREVIOUS_WORKDAY"}, def: "SKIP",
			help: "What becomes of a fire on a day on which nobody works.",
		},
		{name: "doneBy", of: "done_by", kind: "string", help: "By when a run should be over."},
		{name: "failure", of: "failure_strategy", kind: "string", enum: []string{"CONTINUE", "END"}, def: "CONTINUE", help: "What a run does after a task has failed."},
		{name: "warning", of: "warning_type", kind: "string", enum: []string{"NONE", "SUCCESS", "FAILURE", "ALL"}, def: "NONE", help: "Which ends of runs are told."},
		{name: "warningGroup", of: "warning_group", kind: "#reference", help: "Whom they are told: an alert group, by name."},
		{name: "priority", of: "priority", kind: "string", enum: []string{"HIGHEST", "HIGH", "MEDIUM", "LOW", "LOWEST"}, def: "MEDIUM", help: "Which runs go first."},
		{name: "workerGroup", of: "worker_group", kind: "string", help: "Workers of the runs.", def: "default"},
		{name: "tenant", of: "tenant", kind: "string", help: "Account that the tasks run as.", def: "default"},
		{name: "environment", of: "environment", kind: "#reference", help: "Environment of the runs, by name."},
		{name: "params", of: "start_params", kind: "#params", help: "Startup parameters, by name."},
	}
}

// timers reads the schedules of a text.
func (r *reader) timers(p pair) {
	r.doc.Scheduled = true
	fields := timerFields()
	for _, one := range r.pairs(p.value, nil, "schedules") {
		t, wrong := Timer{Name: one.name, Start: Always, End: Forever}, len(r.doc.Problems)
		at := map[string]position{"": {one.key.Line, one.key.Column}}
		for _, f := range r.pairs(one.value, fieldNames(fields), one.name) {
			r.timer(&t, f)
			i := slices.IndexFunc(fields, func(known field) bool { return known.name == f.name })
			at[fields[i].of] = position{f.key.Line, f.key.Column}
		}
		if (t.Cron == "" || t.Zone == "") && len(r.doc.Problems) == wrong {
			r.fail(one.key, "no_cron", "name", one.name)
		}
		if r.doc.timers == nil {
			r.doc.timers = map[string]map[string]position{}
		}
		r.doc.timers[one.name] = at
		r.doc.Timers = append(r.doc.Timers, t)
	}
}

func (r *reader) timer(t *Timer, p pair) {
	choice := func(name string) string {
		i := slices.IndexFunc(timerFields(), func(f field) bool { return f.name == name })
		all := timerFields()[i].enum
		if got := oneOf(r, p, all[0], all...); got != timerFields()[i].def {
			return got
		}
		return ""
	}
	switch p.name {
	case "cron":
		t.Cron = strings.Join(strings.Fields(r.text(p)), " ")
	case "timeZone":
		t.Zone = r.text(p)
	case "start":
		t.Start = moment(r.text(p))
	case "end":
		t.End = moment(r.text(p))
	case "state":
		t.Online = choice("state") == "ONLINE"
	case "missed":
		t.Missed = choice("missed")
	case "calendar":
		t.Calendar = r.text(p)
	case "calendarPolicy":
		t.CalendarPolicy = choice("calendarPolicy")
	case "doneBy":
		t.DoneBy = r.text(p)
	case "failure":
		t.Failure = choice("failure")
	case "warning":
		t.Warning = choice("warning")
	case "warningGroup":
		t.WarningGroup = r.text(p)
	case "priority":
		t.Priority = choice("priority")
	case "workerGroup":
		t.WorkerGroup = other(r.text(p), "default")
	case "tenant":
		t.Tenant = other(r.text(p), "default")
	case "environment":
		t.Environment = r.text(p)
	case "params":
		t.Params = r.params(p)
	}
}

// other is a value unless it is the default.
func other(value, standard string) string {
	if value == standard {
		return ""
	}
	return value
}

// moment completes a day, and what has no seconds.
func moment(s string) string {
	s = strings.Replace(strings.TrimSpace(s), "T", " ", 1)
	switch len(s) {
	case len("2006-01-02"):
		return s + " 00:00:00"
	case len("2006-01-02 15:04"):
		return s + ":00"
	}
	return s
}

// LocateTimer returns where a text says something about a field of a schedule, as module schedule names it; or else about the
// schedule.
func (d *Document) LocateTimer(name, field string) (line, column int) {
	for _, of := range []string{field, ""} {
		if at, ok := d.timers[name][of]; ok {
			return at.line, at.column
		}
	}
	return 1, 1
}

// SameTimers reports whether two lists say the same, whatever their order.
func SameTimers(a, b []Timer) bool { return same(timersNode(a), timersNode(b)) }

// timersNode is the canonical text of schedules: nothing that is a default.
func timersNode(all []Timer) *node {
	out := &node{kind: mapping}
	for i := range all {
		t := &all[i]
		n := object()
		add := func(name, value, standard string) {
			if value != standard && value != "" {
				n.add(name, str(value))
			}
		}
		add("cron", t.Cron, "")
		add("timeZone", t.Zone, "")
		add("start", t.Start, Always)
		add("end", t.End, Forever)
		if t.Online {
			n.add("state", str("ONLINE"))
		}
		for _, f := range []entry{
			{"missed", str(t.Missed)},
			{"calendar", str(t.Calendar)},
			{"calendarPolicy", str(t.CalendarPolicy)},
			{"doneBy", str(t.DoneBy)},
			{"failure", str(t.Failure)},
			{"warning", str(t.Warning)},
			{"warningGroup", str(t.WarningGroup)},
			{"priority", str(t.Priority)},
			{"workerGroup", str(t.WorkerGroup)},
			{"tenant", str(t.Tenant)},
			{"environment", str(t.Environment)},
		} {
			standard := ""
			if i := slices.IndexFunc(timerFields(), func(known field) bool { return known.name == f.key }); timerFields()[i].def != nil {
				standard, _ = timerFields()[i].def.(string)
			}
			add(f.key, f.value.text, standard)
		}
		if len(t.Params) > 0 {
			n.add("params", params(t.Params))
		}
		out.add(t.Name, n)
	}
	return out
}

// WithTimers brings the schedules of a text in step with what they are now, and leaves all else as it is; without any, the
// text says nothing about them. def is what the text says.
func WithTimers(src []byte, def *flow.Definition, now []Timer, outside Resolver) []byte {
	doc := parse(src, Options{Names: outside, Base: def}, nil)
	if doc.Definition == nil || doc.Scheduled == (len(now) > 0) && SameTimers(doc.Timers, now) {
		return src
	}
	right := func(out []byte) bool {
		again := parse(out, Options{Names: outside, Base: def}, nil)
		return again.Definition != nil && again.Scheduled == (len(now) > 0) && SameTimers(again.Timers, now) && means(again.Definition, doc.Definition, true)
	}
	a, b := beside(doc.root, timersNode(doc.Timers), doc.Scheduled), beside(doc.root, timersNode(now), len(now) > 0)
	for depth := 4; depth > 0; depth-- {
		u := updater{lines: strings.Split(string(src), "\n")}
		if !u.mapping(doc.root, len(u.lines), a, b, depth, false) {
			continue
		}
		if out := u.apply(); right(out) {
			return out
		}
	}
	canonical := Format(doc.Definition, outside, Style{Layout: member(doc.root, "layout") != nil})
	if len(now) == 0 || bytes.Equal(src, canonical) {
		return canonical
	}
	return WithTimers(canonical, doc.Definition, now, outside)
}

// beside is the top of a text as a tree in which nothing but the schedules can differ. New ones come behind the tasks.
func beside(root *yaml.Node, timers *node, there bool) *node {
	out := &node{kind: mapping, apart: true}
	has := member(root, "schedules") != nil
	for i := 0; i+1 < len(root.Content); i += 2 {
		key := root.Content[i]
		switch {
		case key.ShortTag() == "!!merge":
		case key.Value != "schedules":
			out.add(key.Value, str(""))
		case there:
			out.add("schedules", timers)
		}
		if key.Value == "tasks" && !has && there {
			out.add("schedules", timers)
		}
	}
	return out
}
