package oozie

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/modules/transfer/crontab"
	"dorado/modules/transfer/neutral"
)

// coordinator adds a schedule to the workflow that a coordinator-app starts.
func (r *reader) coordinator(f neutral.Entry, root *element) {
	name := root.attrs["name"]
	note := func(level neutral.Level, key string, args ...any) {
		r.note(level, f.Path, root.line, name, "", key, args...)
	}
	if root.child("input-events").name != "" {
		note(neutral.Impossible, "transfer.note.oozie_input")
	}
	if root.child("output-events").name != "" {
		note(neutral.Changed, "transfer.note.oozie_output")
	}
	if c := root.child("controls").value("concurrency"); c != "" && c != "1" {
		note(neutral.Changed, "transfer.note.oozie_concurrency", "n", c)
	}
	want := path.Base(strings.TrimSuffix(strings.TrimRight(r.resolved(root.child("action").child("workflow").value("app-path")), "/"), "/workflow.xml"))
	at := -1
	for _, dir := range slices.Sorted(maps.Keys(r.at)) {
		i := r.at[dir]
		if path.Base(dir) == want || r.bundle.Workflows[i].Name() == want || dir == f.Dir() && (want == "" || want == "." || len(r.at) == 1) {
			at = i
			break
		}
	}
	if at < 0 && len(r.at) == 1 {
		for _, i := range r.at {
			at = i
		}
	}
	if at < 0 {
		note(neutral.Impossible, "transfer.note.oozie_no_workflow", "name", want)
		return
	}
	zone := root.attrs["timezone"]
	if zone == "" {
		zone = "UTC"
	}
	where, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		note(neutral.Changed, "transfer.note.zone", "name", zone)
		zone, where = "UTC", time.UTC
	}
	s := neutral.Schedule{Name: neutral.CleanName(name, 100), Zone: zone}
	start, ok := when(r.resolved(root.attrs["start"]), where)
	if ok {
		s.Start = start.Format(time.DateTime)
	} else {
		note(neutral.Changed, "transfer.note.oozie_time", "text", root.attrs["start"])
		start = time.Date(2000, 1, 1, 0, 0, 0, 0, where)
	}
	if end, ok := when(r.resolved(root.attrs["end"]), where); ok {
		s.End = end.Format(time.DateTime)
	} else {
		note(neutral.Changed, "transfer.note.oozie_time", "text", root.attrs["end"])
	}
	frequency := r.resolved(root.attrs["frequency"])
	expressions, exact, reason := rhythm(frequency, start)
	if len(expressions) == 0 {
		note(neutral.Impossible, "transfer.note.cron_time", "text", frequency, "reason", reason)
		return
	}
	level := neutral.Translated
	if !exact {
		level = neutral.Changed
	}
	note(level, "transfer.note.oozie_frequency", "text", frequency, "cron", strings.Join(expressions, ", "))
	for _, e := range expressions {
		s.Crontab = e
		r.bundle.Workflows[at].Schedules = append(r.bundle.Workflows[at].Schedules, s)
	}
}

// when reads 2009-01-01T08:00Z and 2009-01-01T08:00+0800.
func when(text string, zone *time.Location) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02T15:04Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.In(zone), true
		}
	}
	return time.Time{}, false
}

// rhythm turns a frequency into expressions: a number of minutes, coord:minutes, hours, days, weeks, months, or a crontab
// expression. exact is false where the rhythm starts anew at a boundary of the calendar.
func rhythm(text string, start time.Time) (expressions []string, exact bool, reason string) {
	if len(strings.Fields(text)) == 5 {
		out, err := crontab.Quartz(text)
		if err != nil {
			return nil, false, err.Error()
		}
		return out, true, ""
	}
	unit, n, ok := frequency(text)
	if !ok {
		return nil, false, "no frequency"
	}
	minute, hour := strconv.Itoa(start.Minute()), strconv.Itoa(start.Hour())
	every := strconv.Itoa(n)
	switch {
	case unit == "minutes" && n%1440 == 0:
		unit, n = "days", n/1440
		every = strconv.Itoa(n)
	case unit == "minutes" && n%60 == 0:
		unit, n = "hours", n/60
		every = strconv.Itoa(n)
	}
	switch unit {
	case "minutes":
		if n > 59 {
			return nil, false, "minutes that are no hours"
		}
		return []string{"0 " + strconv.Itoa(start.Minute()%n) + "/" + every + " * * * ?"}, 60%n == 0, ""
	case "hours":
		if n == 1 {
			return []string{"0 " + minute + " * * * ?"}, true, ""
		}
		if n > 23 {
			return nil, false, "hours that are no days"
		}
		return []string{"0 " + minute + " " + strconv.Itoa(start.Hour()%n) + "/" + every + " * * ?"}, 24%n == 0, ""
	case "days":
		if n == 1 {
			return []string{"0 " + minute + " " + hour + " * * ?"}, true, ""
		}
		if n == 7 {
			return []string{"0 " + minute + " " + hour + " ? * " + strings.ToUpper(start.Format("Mon"))}, true, ""
		}
		if n > 31 {
			return nil, false, "days beyond a month"
		}
		return []string{"0 " + minute + " " + hour + " 1/" + every + " * ?"}, false, ""
	case "weeks":
		return []string{"0 " + minute + " " + hour + " ? * " + strings.ToUpper(start.Format("Mon"))}, n == 1, ""
	case "months":
		day := strconv.Itoa(start.Day())
		if n == 1 {
			return []string{"0 " + minute + " " + hour + " " + day + " * ?"}, start.Day() <= 28, ""
		}
		if n > 12 {
			return nil, false, "months beyond a year"
		}
		return []string{"0 " + minute + " " + hour + " " + day + " " + strconv.Itoa((int(start.Month())-1)%n+1) + "/" + every + " ?"}, 12%n == 0 && start.Day() <= 28, ""
	}
	return nil, false, "no frequency"
}

// frequency reads 30 and ${coord:days(2)}.
func frequency(text string) (unit string, n int, ok bool) {
	text = strings.TrimSpace(text)
	if n, err := strconv.Atoi(text); err == nil {
		return "minutes", n, n > 0
	}
	inner, ok := strings.CutPrefix(text, "${coord:")
	inner, closed := strings.CutSuffix(strings.ReplaceAll(inner, " ", ""), ")}")
	unit, number, cut := strings.Cut(inner, "(")
	n, err := strconv.Atoi(number)
	switch unit = strings.TrimPrefix(unit, "endOf"); unit {
	case "minutes", "hours", "days", "weeks", "months":
		return unit, n, ok && closed && cut && err == nil && n > 0
	case "Days", "Weeks", "Months": // at the end of a day, week or month: not the same, but the same rhythm
		return strings.ToLower(unit), n, false
	}
	return "", 0, false
}
