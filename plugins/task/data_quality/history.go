package dataquality

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"dorado/plugins/task"
)

// errHistory says that a master did not send what earlier attempts measured.
var errHistory = errors.New("the master did not tell what earlier attempts measured: it is older than this worker")

// window is the time in which earlier attempts make the expected value; nil for kinds that are not made of them. As in
// DolphinScheduler all but the average of the day end before today, and a week begins on Monday.
func window(expected int) func(now time.Time) (from, to time.Time) {
	day := func(now time.Time, before int) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()-before, 0, 0, 0, 0, now.Location())
	}
	switch expected {
	case expectDay:
		return func(now time.Time) (time.Time, time.Time) { return day(now, 0), day(now, -1) }
	case expectWeek:
		return func(now time.Time) (time.Time, time.Time) { return day(now, (int(now.Weekday())+6)%7), day(now, 0) }
	case expectMonth:
		return func(now time.Time) (time.Time, time.Time) { return day(now, now.Day()-1), day(now, 0) }
	case expect7Days:
		return func(now time.Time) (time.Time, time.Time) { return day(now, 7), day(now, 0) }
	case expect30Days:
		return func(now time.Time) (time.Time, time.Time) { return day(now, 30), day(now, 0) }
	}
	return nil
}

// earlier is the average of what earlier attempts measured, with two digits after the point as in DolphinScheduler; nil when
// there are none.
func earlier(past *task.Past, log io.Writer) (*big.Rat, error) {
	span := past.From.Format(time.DateTime) + " to " + past.To.Format(time.DateTime)
	if past.Count == 0 {
		fmt.Fprintf(log, "no earlier value from %s\n", span)
		return nil, nil //nolint:nilnil // there is nothing to compare with
	}
	average, err := parse(past.Average)
	if err != nil {
		return nil, fmt.Errorf("the average of earlier values %w", err)
	}
	rounded, ok := new(big.Rat).SetString(average.FloatString(2))
	if !ok {
		return nil, errNumber
	}
	fmt.Fprintf(log, "average of %d earlier values from %s: %s\n", past.Count, span, show(rounded))
	return rounded, nil
}
