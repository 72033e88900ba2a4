package schedule

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// DoneBy is when a run should be over: at a wall-clock time of the schedule's zone.
type DoneBy struct {
	// Days after the day on which the run is due; -1: the next such time after the run is due.
	Days         int
	Hour, Minute int
}

var doneByForm = regexp.MustCompile(`^(?:(\d{1,2})d )?(\d{1,2}):(\d{2})$`)

// ParseDoneBy reads "08:00", the next eight o'clock, or "1d 08:00", eight o'clock of the day after the one on which the
// run is due.
func ParseDoneBy(text string) (DoneBy, error) {
	m := doneByForm.FindStringSubmatch(text)
	if m == nil {
		return DoneBy{}, fmt.Errorf("schedule: %q is neither like 08:00 nor like 1d 08:00", text)
	}
	d := DoneBy{Days: -1}
	if m[1] != "" {
		d.Days, _ = strconv.Atoi(m[1])
	}
	d.Hour, _ = strconv.Atoi(m[2])
	d.Minute, _ = strconv.Atoi(m[3])
	if d.Hour > 23 || d.Minute > 59 {
		return DoneBy{}, fmt.Errorf("schedule: there is no time of day %02d:%02d", d.Hour, d.Minute)
	}
	return d, nil
}

// Of is the moment by which a run that is due at an instant should be over.
func (d DoneBy) Of(due time.Time, zone *time.Location) time.Time {
	local := due.In(zone)
	y, m, day := local.Date()
	at := func(days int) time.Time { return time.Date(y, m, day+days, d.Hour, d.Minute, 0, 0, zone) }
	if d.Days >= 0 {
		return at(d.Days)
	}
	if t := at(0); t.After(due) {
		return t
	}
	return at(1)
}
