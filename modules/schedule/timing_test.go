package schedule_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow/cron"
	"dorado/modules/schedule"
)

func timing(t testing.TB, crontab, zone, start, end string) *schedule.Timing {
	t.Helper()
	expr, err := cron.Parse(crontab)
	require.NoError(t, err)
	loc, err := time.LoadLocation(zone)
	require.NoError(t, err)
	from, err := schedule.Wall(start, loc)
	require.NoError(t, err)
	to, err := schedule.Wall(end, loc)
	require.NoError(t, err)
	return &schedule.Timing{Expr: expr, Zone: loc, Start: from, End: to}
}

func shown(fires []schedule.Fire) []string {
	out := []string{}
	for _, f := range fires {
		text := f.Nominal.Format("Mon 02 15:04")
		if !f.Due.Equal(f.Nominal) {
			text += " → " + f.Due.In(f.Nominal.Location()).Format("Mon 02 15:04")
		}
		out = append(out, text)
	}
	return out
}

func TestFiresLieWithinTheRangeOfTheirSchedule(t *testing.T) {
	t.Parallel()
	x := timing(t, "0 0 8 * * ?", "Asia/Shanghai", "2026-01-05 08:00:00", "2026-01-08 08:00:00")
	require.Equal(t, []string{"Tue 06 08:00", "Wed 07 08:00", "Thu 08 08:00"}, shown(x.Upcoming(time.Time{}, 9)),
		"after the start, until the end")
	require.Equal(t, []string{"Wed 07 08:00"}, shown(x.Upcoming(time.Date(2026, 1, 6, 0, 0, 0, 0, time.UTC), 1)), "strictly after the moment")
	require.Empty(t, x.Upcoming(x.End, 1))
}

func TestACalendarSkipsOrMovesWhatFallsOnDaysOff(t *testing.T) {
	t.Parallel()
	// January 2026: the 1st is a Thursday. The 2nd is a holiday, Sunday the 4th is worked instead.
	days := &weekdays{off: []string{"2026-01-01", "2026-01-02"}, on: []string{"2026-01-04"}}
	for policy, want := range map[schedule.CalendarPolicy][]string{
		schedule.Skip:            {"Wed 31 09:00", "Sun 04 09:00", "Mon 05 09:00", "Tue 06 09:00"},
		schedule.NextWorkday:     {"Wed 31 09:00", "Thu 01 09:00 → Sun 04 09:00", "Fri 02 09:00 → Sun 04 09:00", "Sat 03 09:00 → Sun 04 09:00", "Sun 04 09:00", "Mon 05 09:00"},
		schedule.PreviousWorkday: {"Wed 31 09:00", "Thu 01 09:00 → Wed 31 09:00", "Fri 02 09:00 → Wed 31 09:00", "Sat 03 09:00 → Wed 31 09:00", "Sun 04 09:00", "Mon 05 09:00"},
	} {
		x := timing(t, "0 0 9 * * ?", "Asia/Shanghai", "2025-12-31 00:00:00", "2100-01-01 00:00:00")
		x.Calendar, x.Policy = days, policy
		require.Equal(t, want, shown(x.Upcoming(time.Time{}, len(want))), policy)
	}
}

func TestMovedFiresComeInTheOrderInWhichTheyAreDue(t *testing.T) {
	t.Parallel()
	x := timing(t, "0 0 8,20 * * ?", "UTC", "2026-01-01 00:00:00", "2100-01-01 00:00:00")
	x.Calendar, x.Policy = &weekdays{}, schedule.NextWorkday
	require.Equal(t, []string{
		"Fri 02 20:00", "Sat 03 08:00 → Mon 05 08:00", "Sun 04 08:00 → Mon 05 08:00", "Mon 05 08:00",
		"Sat 03 20:00 → Mon 05 20:00", "Sun 04 20:00 → Mon 05 20:00", "Mon 05 20:00", "Tue 06 08:00",
	}, shown(x.Upcoming(noon(), 8)))
	monthly := timing(t, "0 30 7 1 * ?", "UTC", "2026-01-01 00:00:00", "2026-04-01 12:00:00")
	monthly.Calendar, monthly.Policy = &weekdays{}, schedule.NextWorkday
	require.Equal(t, []string{"Sun 01 07:30 → Mon 02 07:30", "Sun 01 07:30 → Mon 02 07:30", "Wed 01 07:30"}, shown(monthly.Upcoming(noon(), 9)))
	monthly.Policy = schedule.PreviousWorkday
	require.Equal(t, []string{"Sun 01 07:30 → Fri 30 07:30", "Sun 01 07:30 → Fri 27 07:30", "Wed 01 07:30"}, shown(monthly.Upcoming(noon(), 9)))
}

func TestACalendarWithoutWorkingDaysNeverFires(t *testing.T) {
	t.Parallel()
	for _, policy := range schedule.CalendarPolicies() {
		x := timing(t, "* * * * * ?", "UTC", "2026-01-01 00:00:00", "2100-01-01 00:00:00")
		x.Calendar, x.Policy = never{}, policy
		require.Empty(t, x.Upcoming(noon(), 1), policy)
	}
}

// TestMovedFiresAreWhatASlowSearchFinds compares with all nominal times, each moved by its own, and sorted.
func TestMovedFiresAreWhatASlowSearchFinds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that must repeat
	exprs := []string{"0 0 8 * * ?", "0 0 */6 * * ?", "0 15 10 ? * SAT", "0 0 0 1,15 * ?", "0 30 2 * * ?", "0 0 9-17/4 ? * FRI-MON", "0 0 23 L * ?"}
	for round := range 300 {
		zone := []string{"UTC", "Europe/London", "America/New_York", "Asia/Shanghai"}[round%4]
		x := timing(t, exprs[random.IntN(len(exprs))], zone, "2026-01-01 00:00:00", "2026-12-31 00:00:00")
		days := &weekdays{}
		for range random.IntN(40) {
			day := time.Date(2026, 1, 1+random.IntN(365), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
			if random.IntN(3) == 0 {
				days.on = append(days.on, day)
			} else {
				days.off = append(days.off, day)
			}
		}
		x.Calendar, x.Policy = days, schedule.CalendarPolicies()[random.IntN(3)]
		after := time.Date(2026, time.Month(1+random.IntN(10)), 1+random.IntN(28), random.IntN(24), random.IntN(60), 0, 0, time.UTC)
		want := slow(x, days)
		want = slices.DeleteFunc(want, func(f schedule.Fire) bool { return !f.Due.After(after) })
		want = want[:min(len(want), 40)]
		got := x.Upcoming(after, 40)
		require.Equal(t, texts(want), texts(got), "%s %s %s after %s", x.Expr, zone, x.Policy, after)
	}
}

func texts(fires []schedule.Fire) []string {
	out := []string{}
	for _, f := range fires {
		out = append(out, f.Due.UTC().Format(time.RFC3339)+" for "+f.Nominal.UTC().Format(time.RFC3339))
	}
	return out
}

// slow are all fires of a year.
func slow(x *schedule.Timing, days *weekdays) []schedule.Fire {
	works := func(d time.Time) bool { return days.Workday(d.Date()) }
	var all []schedule.Fire
	for at := x.Start; ; {
		n, ok := x.Expr.Next(at.In(x.Zone))
		if !ok || n.After(x.End) {
			break
		}
		at = n
		step := 0
		switch {
		case works(n):
		case x.Policy == schedule.NextWorkday:
			step = 1
		case x.Policy == schedule.PreviousWorkday:
			step = -1
		default:
			continue
		}
		f := schedule.Fire{Nominal: n, Due: n}
		if step != 0 {
			y, m, d := n.Date()
			day := time.Date(y, m, d, 12, 0, 0, 0, time.UTC)
			for !works(day) {
				day = day.AddDate(0, 0, step)
			}
			y, m, d = day.Date()
			f.Due = time.Date(y, m, d, n.Hour(), n.Minute(), n.Second(), 0, x.Zone)
		}
		if f.Due.After(x.Start) {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b schedule.Fire) int {
		if c := a.Due.Compare(b.Due); c != 0 {
			return c
		}
		return a.Nominal.Compare(b.Nominal)
	})
	return all
}

func TestARunIsToBeDoneByATimeOfDay(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	due := time.Date(2026, 1, 2, 23, 30, 0, 0, zone)
	for text, want := range map[string]string{
		"08:00": "2026-01-03 08:00:00", "23:31": "2026-01-02 23:31:00", "23:30": "2026-01-03 23:30:00", "0d 23:59": "2026-01-02 23:59:00",
		"1d 08:00": "2026-01-03 08:00:00", "10d 8:05": "2026-01-12 08:05:00",
	} {
		d, err := schedule.ParseDoneBy(text)
		require.NoError(t, err, text)
		require.Equal(t, want, d.Of(due, zone).In(zone).Format(time.DateTime), text)
	}
	for _, text := range []string{"", "8", "24:00", "08:60", "1d", "-1d 08:00", "100d 08:00", "08:00 ", strings.Repeat("9", 50)} {
		_, err := schedule.ParseDoneBy(text)
		require.Error(t, err, text)
	}
}
