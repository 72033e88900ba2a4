package window_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow/window"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

// show writes windows in their zone, "from..until" one after the other.
func show(windows []window.Window) string {
	var out []string
	for _, w := range windows {
		out = append(out, w.From.Format("01-02T15:04Z07")+".."+w.Until.Format("01-02T15:04Z07"))
	}
	return strings.Join(out, " ")
}

func TestW18_EveryDateValueHasItsWindows(t *testing.T) {
	t.Parallel()
	base := time.Date(2024, 3, 13, 15, 42, 7, 0, time.UTC) // a Wednesday
	for value, want := range map[string]string{
		"currentHour":    "03-13T15:00Z..03-13T16:00Z",
		"last1Hour":      "03-13T14:00Z..03-13T15:00Z",
		"last2Hours":     "03-13T13:00Z..03-13T14:00Z 03-13T14:00Z..03-13T15:00Z",
		"last3Hours":     "03-13T12:00Z..03-13T13:00Z 03-13T13:00Z..03-13T14:00Z 03-13T14:00Z..03-13T15:00Z",
		"today":          "03-13T00:00Z..03-14T00:00Z",
		"last1Days":      "03-12T00:00Z..03-13T00:00Z",
		"last2Days":      "03-11T00:00Z..03-12T00:00Z 03-12T00:00Z..03-13T00:00Z",
		"last3Days":      "03-10T00:00Z..03-11T00:00Z 03-11T00:00Z..03-12T00:00Z 03-12T00:00Z..03-13T00:00Z",
		"thisWeek":       "03-11T00:00Z..03-12T00:00Z 03-12T00:00Z..03-13T00:00Z 03-13T00:00Z..03-14T00:00Z",
		"lastMonday":     "03-04T00:00Z..03-05T00:00Z",
		"lastTuesday":    "03-05T00:00Z..03-06T00:00Z",
		"lastWednesday":  "03-06T00:00Z..03-07T00:00Z",
		"lastThursday":   "03-07T00:00Z..03-08T00:00Z",
		"lastFriday":     "03-08T00:00Z..03-09T00:00Z",
		"lastSaturday":   "03-09T00:00Z..03-10T00:00Z",
		"lastSunday":     "03-10T00:00Z..03-11T00:00Z",
		"thisMonthBegin": "03-01T00:00Z..03-02T00:00Z",
		"thisMonthEnd":   "03-31T00:00Z..04-01T00:00Z",
		"lastMonthBegin": "02-01T00:00Z..02-02T00:00Z",
		"lastMonthEnd":   "02-29T00:00Z..03-01T00:00Z",
		"lastYear":       "",
		"last":           "",
		"":               "",
	} {
		require.Equal(t, want, show(window.Of(value, base)), value)
	}
	for value, ends := range map[string]struct {
		n           int
		first, last string
	}{
		"last24Hours": {24, "03-12T01:00Z..03-12T02:00Z", "03-13T00:00Z..03-13T01:00Z"},
		"last7Days":   {7, "03-06T00:00Z..03-07T00:00Z", "03-12T00:00Z..03-13T00:00Z"},
		"lastWeek":    {7, "03-04T00:00Z..03-05T00:00Z", "03-10T00:00Z..03-11T00:00Z"},
		"thisMonth":   {13, "03-01T00:00Z..03-02T00:00Z", "03-13T00:00Z..03-14T00:00Z"},
		"lastMonth":   {29, "02-01T00:00Z..02-02T00:00Z", "02-29T00:00Z..03-01T00:00Z"},
	} {
		got := window.Of(value, base)
		require.Len(t, got, ends.n, value)
		require.Equal(t, ends.first, show(got[:1]), value)
		require.Equal(t, ends.last, show(got[len(got)-1:]), value)
	}
}

func TestAWeekThatBeginsOrEndsToday(t *testing.T) {
	t.Parallel()
	monday, sunday := time.Date(2024, 3, 11, 0, 0, 0, 0, time.UTC), time.Date(2024, 3, 17, 23, 59, 59, 0, time.UTC)
	require.Equal(t, "03-11T00:00Z..03-12T00:00Z", show(window.Of("thisWeek", monday)))
	require.Len(t, window.Of("thisWeek", sunday), 7)
	require.Equal(t, "03-04T00:00Z..03-05T00:00Z", show(window.Of("lastMonday", monday)))
	require.Equal(t, "03-10T00:00Z..03-11T00:00Z", show(window.Of("lastSunday", sunday)))
	require.Equal(t, "12-31T00:00Z..01-01T00:00Z", show(window.Of("lastMonthEnd", time.Date(2024, 1, 31, 5, 0, 0, 0, time.UTC))))
}

func TestW21_WindowsFollowTheZoneOfTheRun(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 3, 12, 20, 30, 0, 0, time.UTC)
	require.Equal(t, "03-13T00:00+08..03-14T00:00+08", show(window.Of("today", at.In(zone(t, "Asia/Shanghai")))))
	require.Equal(t, "03-12T00:00-07..03-13T00:00-07", show(window.Of("today", at.In(zone(t, "America/Los_Angeles")))))
	require.Equal(t, "03-13T02:00+05..03-13T03:00+05", show(window.Of("currentHour", at.In(zone(t, "Asia/Kolkata")))))
}

func TestWindowsFollowClocksThatChange(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		zone, value string
		at          time.Time // UTC
		want        string
	}{
		// London, 31 March 2024: 01:00 becomes 02:00
		{"Europe/London", "today", time.Date(2024, 3, 31, 12, 0, 0, 0, time.UTC), "03-31T00:00Z..04-01T00:00+01"},
		{"Europe/London", "last1Hour", time.Date(2024, 3, 31, 1, 30, 0, 0, time.UTC), "03-31T00:00Z..03-31T02:00+01"}, // 02:30; there was no 01:00
		{"Europe/London", "last2Hours", time.Date(2024, 3, 31, 1, 30, 0, 0, time.UTC), "03-30T23:00Z..03-31T00:00Z 03-31T00:00Z..03-31T02:00+01"},
		{"Europe/London", "currentHour", time.Date(2024, 3, 31, 1, 30, 0, 0, time.UTC), "03-31T02:00+01..03-31T03:00+01"},
		// London, 27 October 2024: 02:00 becomes 01:00
		{"Europe/London", "currentHour", time.Date(2024, 10, 27, 0, 30, 0, 0, time.UTC), "10-27T01:00+01..10-27T02:00Z"},
		{"Europe/London", "currentHour", time.Date(2024, 10, 27, 1, 30, 0, 0, time.UTC), "10-27T01:00+01..10-27T02:00Z"},
		{"Europe/London", "last1Hour", time.Date(2024, 10, 27, 2, 30, 0, 0, time.UTC), "10-27T01:00+01..10-27T02:00Z"},
		{"America/New_York", "last1Days", time.Date(2024, 3, 11, 12, 0, 0, 0, time.UTC), "03-10T00:00-05..03-11T00:00-04"},
		{"America/New_York", "last1Days", time.Date(2024, 11, 4, 12, 0, 0, 0, time.UTC), "11-03T00:00-04..11-04T00:00-05"},
		// no midnight: the day begins at 01:00
		{"America/Sao_Paulo", "today", time.Date(2018, 11, 4, 12, 0, 0, 0, time.UTC), "11-04T01:00-02..11-05T00:00-02"},
		// midnight twice: the day begins with the first
		{"America/Havana", "today", time.Date(2024, 11, 3, 18, 0, 0, 0, time.UTC), "11-03T00:00-04..11-04T00:00-05"},
		// half an hour
		{"Australia/Lord_Howe", "currentHour", time.Date(2024, 10, 5, 15, 45, 0, 0, time.UTC), "10-06T02:30+11..10-06T03:00+11"},
		// Samoa skipped 30 December 2011
		{"Pacific/Apia", "last2Days", time.Date(2011, 12, 31, 0, 0, 0, 0, time.UTC), "12-28T00:00-10..12-29T00:00-10 12-29T00:00-10..12-31T00:00+14"},
	} {
		require.Equal(t, tc.want, show(window.Of(tc.value, tc.at.In(zone(t, tc.zone)))), "%s %s %s", tc.zone, tc.value, tc.at)
	}
}

func TestDayWindowsNeitherOverlapNorLeaveGaps(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"UTC", "Europe/London", "America/New_York", "Asia/Shanghai", "America/Havana", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu"} {
		loc := zone(t, name)
		var last time.Time
		for d := range 800 {
			base := time.Date(2018, 1, 1+d, 12, 0, 0, 0, loc)
			today := window.Of("today", base)
			require.Len(t, today, 1)
			require.True(t, today[0].Contains(base), "%s %s", name, base)
			require.True(t, last.IsZero() || last.Equal(today[0].From), "%s %s", name, base)
			last = today[0].Until
			hours := window.Of("last24Hours", base)
			for i := range hours[1:] {
				require.True(t, hours[i].Until.Equal(hours[i+1].From), "%s %s", name, base)
			}
		}
	}
}

func TestEveryValueIsKnown(t *testing.T) {
	t.Parallel()
	for _, v := range window.Values() {
		require.True(t, window.Known(v))
		require.NotEmpty(t, window.Of(v, time.Date(2024, 5, 15, 12, 0, 0, 0, time.UTC)), v)
	}
	require.False(t, window.Known("tomorrow"))
}
