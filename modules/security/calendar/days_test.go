package calendar_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/security/calendar"
)

func date(t *testing.T, text string) calendar.Date {
	t.Helper()
	d, ok := calendar.ParseDate(text)
	require.True(t, ok, text)
	return d
}

func days(t *testing.T, weekend, text string) *calendar.Days {
	t.Helper()
	w, ok := calendar.ParseWeekend(weekend)
	require.True(t, ok)
	entries, err := calendar.Parse(text)
	require.NoError(t, err)
	return calendar.NewDays(w, entries)
}

// The national holiday of 2026: off from Thursday 1 to Wednesday 7 October, worked on Saturday the 10th.
const golden = "2026-10-01..2026-10-07 HOLIDAY National Day\n2026-10-10 WORKDAY\n"

func TestAHolidayIsFreeAndAMakeUpDayIsWorkedWhateverTheDayOfTheWeek(t *testing.T) {
	t.Parallel()
	d := days(t, "SAT,SUN", golden)
	for day, works := range map[string]bool{
		"2026-09-30": true, "2026-10-01": false, "2026-10-03": false, "2026-10-07": false, "2026-10-08": true, "2026-10-09": true,
		"2026-10-10": true, "2026-10-11": false, "2026-10-12": true, "2027-10-01": true, "2024-02-29": true,
	} {
		at := date(t, day)
		require.Equal(t, works, d.Works(at), day)
		require.Equal(t, works, d.Workday(at.Year, at.Month, at.Day), day)
	}
}

func TestTheNextAndPreviousWorkdayIncludeTheDayItself(t *testing.T) {
	t.Parallel()
	d := days(t, "SAT,SUN", golden)
	for day, want := range map[string][2]string{
		"2026-10-08": {"2026-10-08", "2026-10-08"}, "2026-10-01": {"2026-10-08", "2026-09-30"}, "2026-10-11": {"2026-10-12", "2026-10-10"},
		"2026-01-03": {"2026-01-05", "2026-01-02"}, "2026-12-31": {"2026-12-31", "2026-12-31"}, "2027-01-02": {"2027-01-04", "2027-01-01"},
	} {
		next, ok := d.NextWorkday(date(t, day))
		require.True(t, ok)
		previous, ok := d.PrevWorkday(date(t, day))
		require.True(t, ok)
		require.Equal(t, want, [2]string{next.String(), previous.String()}, day)
	}
}

func TestAWeekWithoutAWorkingDayHasOnlyItsMakeUpDays(t *testing.T) {
	t.Parallel()
	const all = "MON,TUE,WED,THU,FRI,SAT,SUN"
	_, ok := days(t, all, "").NextWorkday(date(t, "2026-01-01"))
	require.False(t, ok)
	d := days(t, all, "2026-03-01 WORKDAY\n9998-05-05 WORKDAY\n2026-02-01 HOLIDAY")
	next, ok := d.NextWorkday(date(t, "2026-03-02"))
	require.True(t, ok)
	require.Equal(t, "9998-05-05", next.String())
	previous, ok := d.PrevWorkday(date(t, "2027-03-02"))
	require.True(t, ok)
	require.Equal(t, "2026-03-01", previous.String())
	_, ok = d.PrevWorkday(date(t, "2026-02-28"))
	require.False(t, ok)
}

func TestALongHolidayIsSearchedToItsEnd(t *testing.T) {
	t.Parallel()
	d := days(t, "SAT,SUN", "2026-01-01..2027-01-31\n2027-02-01..2028-02-01")
	next, ok := d.NextWorkday(date(t, "2026-01-01"))
	require.True(t, ok)
	require.Equal(t, "2028-02-02", next.String())
}

func TestTheSearchAgreesWithGoingDayByDay(t *testing.T) {
	t.Parallel()
	d := days(t, "FRI,SAT", golden+"2026-01-02 WORKDAY\n2026-06-07..2026-06-20\n")
	for at := date(t, "2025-12-20"); at.Year < 2027; at = at.Add(1) {
		want := at
		for !d.Works(want) {
			want = want.Add(1)
		}
		got, ok := d.NextWorkday(at)
		require.True(t, ok)
		require.Equal(t, want, got, at)
		want = at
		for !d.Works(want) {
			want = want.Add(-1)
		}
		got, ok = d.PrevWorkday(at)
		require.True(t, ok)
		require.Equal(t, want, got, at)
	}
}

func TestDaysAreReadAsPeopleAndTablesWriteThem(t *testing.T) {
	t.Parallel()
	entries, err := calendar.Parse("\ufeff# 2026\r\n\r\n 2026-10-01\tHOLIDAY\tNational Day \r\n2026-10-02,holiday,\n2026-10-10 workday 调休\n2026-12-25")
	require.NoError(t, err)
	require.Equal(t, []calendar.Entry{
		{Date: calendar.Date{Year: 2026, Month: time.October, Day: 1}, Kind: calendar.Holiday, Note: "National Day"},
		{Date: calendar.Date{Year: 2026, Month: time.October, Day: 2}, Kind: calendar.Holiday},
		{Date: calendar.Date{Year: 2026, Month: time.October, Day: 10}, Kind: calendar.MakeUp, Note: "调休"},
		{Date: calendar.Date{Year: 2026, Month: time.December, Day: 25}, Kind: calendar.Holiday},
	}, entries)
	again, err := calendar.Parse(calendar.Format(entries))
	require.NoError(t, err)
	require.Equal(t, entries, again, "what is exported can be imported")
}

func TestALineThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	for line, reason := range map[string]string{
		"soon": "calendar.error.date", "2026-02-30": "calendar.error.date", "2026-2-3": "calendar.error.date", "0000-01-01": "calendar.error.date",
		"2026-01-02..2026-01-01": "calendar.error.range", "2026-01-02..": "calendar.error.range", "2026-01-01..2028-01-01": "calendar.error.range_long",
		"2026-01-01 FREE": "calendar.error.kind", "2026-01-01 HOLIDAY " + strings.Repeat("字", 101): "calendar.error.note",
	} {
		_, err := calendar.Parse("# first\n2026-01-01\n" + line)
		var wrong *calendar.LineError
		require.ErrorAs(t, err, &wrong, line)
		require.Equal(t, 3, wrong.Line, line)
		require.Equal(t, reason, wrong.Reason, line)
	}
	_, err := calendar.Parse(strings.Repeat("2026-01-01..2026-12-31\n", 20))
	require.ErrorContains(t, err, "calendar.error.too_many")
}

func TestAWeekendIsAnyDaysOfTheWeek(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"SUN,sat": "SAT,SUN", "": "", " fri ,": "FRI", "MON,MON": "MON"} {
		w, ok := calendar.ParseWeekend(text)
		require.True(t, ok, text)
		require.Equal(t, want, w.String())
	}
	_, ok := calendar.ParseWeekend("SAT,CATURDAY")
	require.False(t, ok)
}
