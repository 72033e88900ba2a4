package cron_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow/cron"
)

func parse(t testing.TB, text string) *cron.Expr {
	t.Helper()
	e, err := cron.Parse(text)
	require.NoError(t, err, text)
	return e
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

// next lists the fires after a wall-clock time, as wall-clock times with their offset.
func next(t testing.TB, expr, location, after string, n int) []string {
	t.Helper()
	at, err := time.ParseInLocation(time.DateTime, after, zone(t, location))
	require.NoError(t, err)
	e := parse(t, expr)
	var list []string
	for range n {
		var ok bool
		if at, ok = e.Next(at); !ok {
			break
		}
		list = append(list, at.Format("2006-01-02 15:04:05 -0700"))
	}
	return list
}

// TestFireTimesOfPublishedExamples holds what the tutorial of Quartz and the tests of Quartz and cron-utils promise of
// their expressions.
func TestFireTimesOfPublishedExamples(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expr, after, want string }{
		// the examples of the CronTrigger tutorial
		{"0 0 12 * * ?", "2026-11-22 11:59:59", "2026-11-22 12:00:00, 2026-11-23 12:00:00"},
		{"0 15 10 ? * *", "2026-11-22 10:15:00", "2026-11-23 10:15:00"},
		{"0 15 10 * * ?", "2026-11-22 00:00:00", "2026-11-22 10:15:00"},
		{"0 15 10 * * ? *", "2026-11-22 00:00:00", "2026-11-22 10:15:00"},
		{"0 15 10 * * ? 2005", "2005-12-31 00:00:00", "2005-12-31 10:15:00"}, // and nothing after it
		{"0 * 14 * * ?", "2026-11-22 14:58:00", "2026-11-22 14:59:00, 2026-11-23 14:00:00"},
		{"0 0/5 14 * * ?", "2026-11-22 14:50:00", "2026-11-22 14:55:00, 2026-11-23 14:00:00"},
		{"0 0/5 14,18 * * ?", "2026-11-22 14:55:00", "2026-11-22 18:00:00, 2026-11-22 18:05:00"},
		{"0 0-5 14 * * ?", "2026-11-22 14:04:00", "2026-11-22 14:05:00, 2026-11-23 14:00:00"},
		{"0 10,44 14 ? 3 WED", "2026-01-01 00:00:00", "2026-03-04 14:10:00, 2026-03-04 14:44:00, 2026-03-11 14:10:00"},
		{"0 15 10 ? * MON-FRI", "2026-11-20 10:15:00", "2026-11-23 10:15:00"},
		{"0 15 10 15 * ?", "2026-11-22 00:00:00", "2026-12-15 10:15:00"},
		{"0 15 10 L * ?", "2024-01-31 10:15:00", "2024-02-29 10:15:00, 2024-03-31 10:15:00, 2024-04-30 10:15:00"},
		{"0 15 10 L-2 * ?", "2023-02-01 00:00:00", "2023-02-26 10:15:00, 2023-03-29 10:15:00"},
		{"0 15 10 ? * 6L", "2026-11-01 00:00:00", "2026-11-27 10:15:00, 2026-12-25 10:15:00"},
		{"0 15 10 ? * 6L 2002-2005", "2005-11-26 00:00:00", "2005-12-30 10:15:00"},
		{"0 15 10 ? * 6#3", "2026-11-01 00:00:00", "2026-11-20 10:15:00, 2026-12-18 10:15:00"},
		{"0 0 12 1/5 * ?", "2026-11-22 00:00:00", "2026-11-26 12:00:00, 2026-12-01 12:00:00, 2026-12-06 12:00:00"},
		{"0 11 11 11 11 ?", "2026-11-22 00:00:00", "2027-11-11 11:11:00"},
		// CronTrigger's lessons
		{"10 0/5 * * * ?", "2026-11-22 10:00:10", "2026-11-22 10:05:10"},
		{"0 30 10-13 ? * WED,FRI", "2026-11-25 13:30:00", "2026-11-27 10:30:00"},
		{"0 0/30 8-9 5,20 * ?", "2026-11-20 09:00:00", "2026-11-20 09:30:00, 2026-12-05 08:00:00"},
		// Quartz's tests
		{"0 15 10 L-2 * ? 2010", "2010-10-01 00:00:00", "2010-10-29 10:15:00"},
		{"0 15 10 L-5W * ? 2010", "2010-10-01 00:00:00", "2010-10-26 10:15:00"},
		{"0 15 10 L-1 * ? 2010", "2010-10-01 00:00:00", "2010-10-30 10:15:00"},
		{"0 15 10 L-1W * ? 2010", "2010-10-01 00:00:00", "2010-10-29 10:15:00"},
		{"19 15 10 4 Apr ? ", "2010-01-01 00:00:00", "2010-04-04 10:15:19"},
		{"0 0 0 LW * ? *", "2017-04-01 00:00:00", "2017-04-28 00:00:00, 2017-05-31 00:00:00"},
		{"0 0 0 5W * ? *", "2017-08-01 00:00:00", "2017-08-04 00:00:00, 2017-09-05 00:00:00"},
		// cron-utils' tests, some of them from issues
		{"0 11 11 11 11 ?", "2015-04-15 00:00:00", "2015-11-11 11:11:00"},
		{"0/1 * * 1/1 * ? *", "2016-08-05 23:59:59", "2016-08-06 00:00:00"},
		{"0/1 * * 1/1 * ? *", "2015-01-31 23:59:59", "2015-02-01 00:00:00"},
		{"* 10-20 * * * ? 2099", "2016-02-29 11:00:00", "2099-01-01 00:10:00"},
		{"0 * * ? 5 1 *", "2016-03-06 20:17:28", "2016-05-01 00:00:00"},
		{"0 * * ? * 1 2099", "2016-03-06 20:17:28", "2099-01-04 00:00:00"},
		{"0 0 18 ? * MON", "2016-03-18 19:02:51", "2016-03-21 18:00:00, 2016-03-28 18:00:00"},
		{"0 0 0 31 * ?", "2016-11-01 00:00:00", "2016-12-31 00:00:00"},
		{"0 * * ? * *", "2016-08-31 10:10:00", "2016-08-31 10:11:00"},
		{"0 0 12 1W * ? *", "2016-03-29 00:00:59", "2016-04-01 12:00:00"},
		{"0 0 12 ? * 2,3,4,5,6 *", "2016-04-22 12:00:00", "2016-04-25 12:00:00"},
		{"0 0/1 * ? * 5-6", "2016-11-04 23:59:00", "2016-11-10 00:00:00"},
		{"0 0/1 * ? * THU,SAT", "2016-11-05 23:59:00", "2016-11-10 00:00:00"},
		{"0 5/15 * * * ? *", "2016-07-30 15:00:00", "2016-07-30 15:05:00"},
		{"0 3/27 10-14 * * ? *", "2016-01-01 10:00:00", "2016-01-01 10:03:00, 2016-01-01 10:30:00, 2016-01-01 10:57:00"},
		{"0 0 0 L * ? *", "2016-12-22 00:00:00", "2016-12-31 00:00:00"},
		{"0 0 16-19/2 * * ?", "2016-12-27 08:15:00", "2016-12-27 16:00:00, 2016-12-27 18:00:00, 2016-12-28 16:00:00"},
		{"0 0 8 31 * ?", "2017-04-10 00:00:00", "2017-05-31 08:00:00"},
		// Unix, from cron-utils' tests
		{"*/10 * * * *", "2015-09-05 13:43:00", "2015-09-05 13:50:00"},
		{"*/2 * * * *", "2015-09-05 13:58:00", "2015-09-05 14:00:00"},
		{"0 3 * * 3", "2015-09-17 00:00:00", "2015-09-23 03:00:00"},
		{"* * * * 1", "2015-10-13 17:26:54", "2015-10-19 00:00:00"},
		{"* * */3 */4 */5", "2015-12-10 16:32:56", "2016-01-01 00:00:00"},
		{"* * */4 * *", "2015-12-10 16:32:56", "2015-12-13 00:00:00"},
		{"* * * * */4", "2016-01-28 23:59:56", "2016-01-31 00:00:00"},
		{"0 * * * 1-5", "2016-02-29 11:00:00", "2016-02-29 12:00:00"},
		{"0 8 * * 1", "2014-11-30 00:00:00", "2014-12-01 08:00:00"},
		{"1 0 * * tue", "2016-05-24 01:02:50", "2016-05-31 00:01:00"},
		// what other libraries get wrong
		{"0 0 0 29 2 ?", "2024-03-01 00:00:00", "2028-02-29 00:00:00, 2032-02-29 00:00:00"},
		{"0 0 0 ? * L", "2026-11-22 00:00:00", "2026-11-28 00:00:00, 2026-12-05 00:00:00"},
		{"0 0 22-2 * * ?", "2026-11-22 23:00:00", "2026-11-23 00:00:00, 2026-11-23 01:00:00, 2026-11-23 02:00:00, 2026-11-23 22:00:00"},
		{"0 0 0 ? * FRI-MON", "2026-11-22 00:00:00", "2026-11-23 00:00:00, 2026-11-27 00:00:00"},
		{"0 0 0 ? NOV-FEB 1", "2026-02-22 00:00:00", "2026-11-01 00:00:00"},
		{"0 0 0 */17 * ?", "2026-01-18 00:00:00", "2026-02-01 00:00:00, 2026-02-18 00:00:00, 2026-03-01 00:00:00"},
		{"0 0 0 31W * ?", "2026-04-01 00:00:00", "2026-05-29 00:00:00, 2026-07-31 00:00:00"},
		{"0 0 0 1,15,L * ?", "2026-02-02 00:00:00", "2026-02-15 00:00:00, 2026-02-28 00:00:00, 2026-03-01 00:00:00"},
		{"0 0 0 ? * 2#5", "2026-11-01 00:00:00", "2026-11-30 00:00:00, 2027-03-29 00:00:00"},
		// Unix: both days restricted, either will do; 0 and 7 are Sunday
		{"0 0 13 * 5", "2026-11-01 00:00:00", "2026-11-06 00:00:00, 2026-11-13 00:00:00, 2026-11-20 00:00:00"},
		{"0 0 13 * 2", "2026-11-11 00:00:00", "2026-11-13 00:00:00, 2026-11-17 00:00:00"},
		{"0 0 * * 0", "2026-11-21 00:00:00", "2026-11-22 00:00:00, 2026-11-29 00:00:00"},
		{"0 0 * * 7", "2026-11-21 00:00:00", "2026-11-22 00:00:00"},
		{"0 0 * * 5-7", "2026-11-22 00:00:00", "2026-11-27 00:00:00, 2026-11-28 00:00:00, 2026-11-29 00:00:00"},
		{"0 0 * * sat-sun", "2026-11-22 00:00:00", "2026-11-28 00:00:00"},
	} {
		want := strings.Split(c.want, ", ")
		for i := range want {
			want[i] += " +0000"
		}
		require.Equal(t, want, next(t, c.expr, "UTC", c.after, len(want)), c.expr)
	}
	require.Len(t, next(t, "0 15 10 * * ? 2005", "UTC", "2005-12-31 00:00:00", 2), 1)
}

func TestG21_AFixedTimeInTheHourThatClocksSkipOrRepeat(t *testing.T) {
	t.Parallel()
	const expr = "0 30 1 * * ? *"
	require.Equal(t, []string{"2026-03-28 01:30:00 +0000", "2026-03-29 02:00:00 +0100", "2026-03-30 01:30:00 +0100"},
		next(t, expr, "Europe/London", "2026-03-28 00:00:00", 3), "the skipped 01:30 fires at the first valid instant after the gap")
	require.Equal(t, []string{"2026-10-24 01:30:00 +0100", "2026-10-25 01:30:00 +0100", "2026-10-26 01:30:00 +0000"},
		next(t, expr, "Europe/London", "2026-10-24 00:00:00", 3), "the repeated 01:30 fires once, the first time")
	require.Equal(t, []string{"2026-03-08 03:00:00 -0400", "2026-03-09 02:30:00 -0400"},
		next(t, "0 30 2 * * ?", "America/New_York", "2026-03-07 02:30:00", 2))
	require.Equal(t, []string{"2026-11-01 01:30:00 -0400", "2026-11-02 01:30:00 -0500"},
		next(t, expr, "America/New_York", "2026-10-31 01:30:00", 2))
}

func TestPatternsWithinTheHourRunOnThroughARepeatedHour(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"2026-10-25 01:00:00 +0100", "2026-10-25 01:30:00 +0100", "2026-10-25 01:00:00 +0000", "2026-10-25 01:30:00 +0000", "2026-10-25 02:00:00 +0000"},
		next(t, "0 */30 * * * ?", "Europe/London", "2026-10-25 00:30:00", 5))
	require.Equal(t, []string{"2026-10-25 01:15:00 +0100", "2026-10-25 01:15:00 +0000", "2026-10-25 02:15:00 +0000"},
		next(t, "0 15 * * * ?", "Europe/London", "2026-10-25 00:30:00", 3), "hourly is every hour that passes")
	require.Equal(t, []string{"2026-10-25 01:00:00 +0100", "2026-10-25 01:20:00 +0100", "2026-10-25 01:40:00 +0100", "2026-10-25 01:00:00 +0000"},
		next(t, "0 0/20 1 * * ?", "Europe/London", "2026-10-25 00:30:00", 4), "several times in a named hour, too")
	require.Equal(t, []string{"2026-03-29 00:40:00 +0000", "2026-03-29 02:00:00 +0100", "2026-03-29 02:20:00 +0100"},
		next(t, "0 */20 * * * ?", "Europe/London", "2026-03-29 00:20:00", 3), "what the gap swallowed fires once, with the one that is due then")
	require.Equal(t, []string{"2011-12-29 12:00:00 -1000", "2011-12-31 00:00:00 +1400", "2011-12-31 12:00:00 +1400"},
		next(t, "0 0 12 * * ?", "Pacific/Apia", "2011-12-29 00:00:00", 3), "Samoa had no 30 December 2011")
}

func TestAFireSaysWhatTheClockChangeDidToIt(t *testing.T) {
	t.Parallel()
	london := zone(t, "Europe/London")
	shift := func(expr string, year int, month time.Month, day, hour, minute int) cron.Shift {
		return parse(t, expr).Shift(time.Date(year, month, day, hour, minute, 0, 0, time.UTC).In(london))
	}
	require.Equal(t, cron.ShiftNone, shift("0 30 1 * * ?", 2026, 3, 28, 1, 30))
	require.Equal(t, cron.ShiftMoved, shift("0 30 1 * * ?", 2026, 3, 29, 1, 0))
	require.Equal(t, cron.ShiftNone, shift("0 0 1,2 * * ?", 2026, 3, 29, 1, 0), "02:00 is its own time")
	require.Equal(t, cron.ShiftOnce, shift("0 30 1 * * ?", 2026, 10, 25, 0, 30))
	require.Equal(t, cron.ShiftFirst, shift("0 30 * * * ?", 2026, 10, 25, 0, 30))
	require.Equal(t, cron.ShiftAgain, shift("0 30 * * * ?", 2026, 10, 25, 1, 30))
	require.Equal(t, cron.ShiftNone, shift("0 30 * * * ?", 2026, 10, 25, 2, 30))
	require.Equal(t, cron.ShiftNone, parse(t, "0 30 1 * * ?").Shift(time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC)))
}

func TestWordsInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"0 0 * * * ? *", "Every hour", "每小时"},
		{"0 30 1 * * ?", "At 01:30, every day", "每天 01:30"},
		{"0 0/5 * * * ?", "Every 5 minutes", "每 5 分钟"},
		{"*/5 9-17 * * 1-5", "Every 5 minutes between 09:00 and 17:59, from Monday to Friday", "每周一至周五 09:00 至 17:59 之间每 5 分钟"},
		{"0 0 0 L * ?", "At 00:00, on the last day of the month", "每月最后一天 00:00"},
		{"0 0 0 LW 3 ?", "At 00:00, on the last weekday of the month, in March", "每年 3 月的最后一个工作日 00:00"},
		{"0 15 10 ? * 6L 2002-2005", "At 10:15, on the last Friday of the month, from 2002 to 2005", "2002 年至 2005 年每月最后一个周五 10:15"},
		{"0 15 10 ? * FRI#3", "At 10:15, on the third Friday of the month", "每月第三个周五 10:15"},
		{"* * * * * ?", "Every second", "每秒"},
		{"5 * * * * ?", "At second 5 of every minute", "每分钟第 5 秒"},
		{"0 0 0/6 * * ?", "Every 6 hours", "每 6 小时"},
		{"0 0/5 14,18 * * ?", "Every 5 minutes in the hours 14 and 18", "14 时、18 时内每 5 分钟"},
		{"30 4 1,15 * 5", "At 04:30, on days 1 and 15 of the month or on Friday", "每月 1 日、15 日或每周五 04:30"},
		{"15 30 8,20 ? * SAT,SUN", "At 08:30:15 and 20:30:15, on Saturday and Sunday", "每周六、周日 08:30:15、20:30:15"},
		{"0 0 8 1/1 * ? *", "At 08:00, every day", "每天 08:00"},
	} {
		e := parse(t, c[0])
		require.Equal(t, c[1], e.Words("en"), c[0])
		require.Equal(t, c[2], e.Words("zh"), c[0])
	}
}

func TestCycleIsThatOfDolphinScheduler(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]cron.Cycle{
		"0 * * * * ?": cron.CycleMinute, "0 0/5 * * * ? *": cron.CycleMinute, "0 0 * * * ? *": cron.CycleHour, "0 0 0/2 * * ?": cron.CycleHour,
		"0 0 0 * * ? *": cron.CycleDay, "0 0 0 */2 * ?": cron.CycleDay, "0 0 0 ? * * *": cron.CycleWeek, "0 0 0 ? * */2": cron.CycleWeek,
		"0 0 0 ? * MON": cron.CycleMonth, "0 0 0 1 * ? *": cron.CycleMonth, "0 0 0 L * ?": cron.CycleMonth, "0 0 0 1 */3 ?": cron.CycleMonth,
		"0 0 0 1 6 ?": cron.CycleYear, "0 0 0 1 6 ? 2027": cron.CycleNone,
		"*/5 * * * *": cron.CycleMinute, "0 * * * *": cron.CycleHour, "0 0 * * *": cron.CycleDay, "0 0 1 * *": cron.CycleMonth, "0 0 * * 1": cron.CycleMonth,
	} {
		require.Equal(t, want, parse(t, expr).Cycle(), expr)
	}
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expr   string
		field  cron.Field
		reason cron.Reason
		marked string
	}{
		{"", cron.Whole, cron.Empty, ""},
		{"  \t ", cron.Whole, cron.Empty, "  \t "},
		{"every day at noon please do it now", cron.Whole, cron.FieldCount, "every day at noon please do it now"},
		{"0 0 0 1", cron.Whole, cron.FieldCount, "0 0 0 1"},
		{strings.Repeat("1,", 200) + "1 * * * * ?", cron.Whole, cron.TooLong, strings.Repeat("1,", 200) + "1 * * * * ?"},
		{"nonsense x * * * ?", cron.Second, cron.Syntax, "nonsense"},
		{"60 * * * * ?", cron.Second, cron.Range, "60"},
		{"0 1,75 * * * ?", cron.Minute, cron.Range, "75"},
		{"0 0 9-24 * * ?", cron.Hour, cron.Range, "24"},
		{"0 0 0 0 * ?", cron.DayOfMonth, cron.Range, "0"},
		{"0 0 0 32W 1 ?", cron.DayOfMonth, cron.Range, "32"},
		{"0 0 0 L-31 * ?", cron.DayOfMonth, cron.Range, "31"},
		{"0 0 0 * 13 ?", cron.Month, cron.Range, "13"},
		{"0 0 0 * Foo ?", cron.Month, cron.Name, "Foo"},
		{"* * * * Jan-Foo ?", cron.Month, cron.Name, "Foo"},
		{"0 0 0 ? * 8", cron.DayOfWeek, cron.Range, "8"},
		{"0 0 0 ? * 0", cron.DayOfWeek, cron.Range, "0"},
		{"0 0 0 ? * FRI#6", cron.DayOfWeek, cron.Nth, "6"},
		{"0 0 0 ? * MONDAY", cron.DayOfWeek, cron.Name, "MONDAY"},
		{"0 0 0 * * ? 1969", cron.Year, cron.Range, "1969"},
		{"0 0 0 * * ? 2100", cron.Year, cron.Range, "2100"},
		{"0 0 0 * * ? 2030-2020", cron.Year, cron.Backwards, "2030-2020"},
		{"0 */0 * * * ?", cron.Minute, cron.Step, "0"},
		{"0/120 0 8-18 ? * 2-6", cron.Second, cron.Step, "120"},
		{"0 /120 8-18 ? * 2-6", cron.Minute, cron.Step, "120"},
		{"/ 0 8-18 ? * 2-6", cron.Second, cron.Syntax, "/"},
		{"0/ 0 8-18 ? * 2-6", cron.Second, cron.Syntax, "0/"},
		{"0 5/-5 * * * ?", cron.Minute, cron.Syntax, "5/-5"},
		{"0 -5 * * * ?", cron.Minute, cron.Syntax, ""},
		{"? * * * * ?", cron.Second, cron.QuestionElsewhere, "?"},
		{"0 0 0 1,? * *", cron.DayOfMonth, cron.QuestionInList, "1,?"},
		{"0 0 * * * *", cron.DayOfWeek, cron.BothSet, "*"},
		{"0 0 * 4 * *", cron.DayOfWeek, cron.BothSet, "*"},
		{"0 0 * * * 4", cron.DayOfWeek, cron.BothSet, "4"},
		{"0 0 0 ? * ?", cron.DayOfWeek, cron.BothUnset, "?"},
		{"0 0 L * *", cron.DayOfMonth, cron.QuartzOnly, "L"},
		{"0 0 * * 5#2", cron.DayOfWeek, cron.QuartzOnly, "5#2"},
		{"0 0 0 30 2 ?", cron.DayOfMonth, cron.Never, "30"},
		{"0 0 0 31 4,6,9,11 ?", cron.DayOfMonth, cron.Never, "31"},
		{"0 0 0 29 2 ? 2027", cron.DayOfMonth, cron.Never, "29"},
		{"0 0 0 ? 2 1#5 2027", cron.DayOfWeek, cron.Never, "1#5"},
		{"0 0 0 1, * ?", cron.DayOfMonth, cron.Syntax, ""},
		{"０ ０ ０ * * ?", cron.Second, cron.Syntax, "０"},
		{"ß ß 0 * * ?", cron.Second, cron.Syntax, "ß"},
	} {
		_, err := cron.Parse(c.expr)
		var e *cron.Error
		require.ErrorAs(t, err, &e, c.expr)
		require.Equal(t, c.field, e.Field, c.expr)
		require.Equal(t, c.reason, e.Reason, c.expr)
		if c.marked != "" {
			require.Equal(t, c.marked, c.expr[e.Start:e.End], c.expr)
		}
		require.NotContains(t, e.Message("en"), "%!", c.expr)
		require.NotContains(t, e.Message("zh"), "%!", c.expr)
	}
}

func TestStringIsReadAgainAsTheSame(t *testing.T) {
	t.Parallel()
	require.Equal(t, "0 0 1 ? * MON-FRI *", parse(t, " 0 0  1 ? * mon-fri").String())
	require.Equal(t, "*/5 * * * SUN", parse(t, "*/5 * * * sun").String())
	require.True(t, parse(t, "*/5 * * * sun").Unix())
}

func TestUnixInTheWordsOfQuartz(t *testing.T) {
	t.Parallel()
	for unix, want := range map[string]string{
		"*/5 9-17 * * 1-5": "0 */5 9-17 ? * 2-6 *", "0 0 1,15 * *": "0 0 0 1,15 * ? *", "0 3 * * 0": "0 0 3 ? * 1 *", "0 3 * feb fri-7": "0 0 3 ? FEB 6-1 *",
		"0 3 * * */2": "0 0 3 ? * */2 *", "0 3 ? * 5/1": "0 0 3 ? * 6/1 *", "* * * * *": "0 * * * * ? *",
	} {
		got, ok := parse(t, unix).Quartz()
		require.True(t, ok, unix)
		require.Equal(t, want, got, unix)
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		a, _ := parse(t, unix).Between(from, from.AddDate(0, 1, 0), 1000)
		b, _ := parse(t, got).Between(from, from.AddDate(0, 1, 0), 1000)
		require.Equal(t, a, b, unix)
	}
	_, ok := parse(t, "0 0 13 * 5").Quartz()
	require.False(t, ok)
}

func TestCounts(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]float64{
		"0 0 0 * * ?": 1, "0 0/5 * * * ?": 288, "* * * * * ?": 86400, "0 0 8 ? * MON-FRI": 5.0 / 7, "0 0 9-17 ? * 2": 9.0 / 7, "0 0 0 1 1 ?": 28 / 10227.0, "0 0 0 * * ? 2020": 0,
	} {
		require.InDelta(t, want, parse(t, expr).PerDay(), 1e-9, expr)
	}
	require.Equal(t, 60, parse(t, "* 0 1 * * ?").PerMinute())
	require.True(t, parse(t, "0 0 13 * 5").EitherDay())
	require.False(t, parse(t, "0 0 * * 5").EitherDay())
}

func TestBetweenHoldsBothEndsAndStopsAtItsLimit(t *testing.T) {
	t.Parallel()
	e, from := parse(t, "0 0 0 * * ?"), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fires, more := e.Between(from, from.AddDate(0, 0, 9), 100)
	require.Len(t, fires, 10)
	require.False(t, more)
	require.Equal(t, from, fires[0])
	fires, more = e.Between(from, from.AddDate(100, 0, 0), 7)
	require.Len(t, fires, 7)
	require.True(t, more)
	everySecond, more := parse(t, "* * * * * ?").Between(from, from.AddDate(1, 0, 0), 100)
	require.Len(t, everySecond, 100, "a year of seconds is not made when a hundred are asked for")
	require.True(t, more)
}

func TestTheEndsOfTime(t *testing.T) {
	t.Parallel()
	e := parse(t, "0 0 0 29 2 ?")
	_, ok := e.Next(time.Date(2096, 3, 1, 0, 0, 0, 0, time.UTC))
	require.False(t, ok, "2100 is beyond the years that are searched")
	last, ok := e.Prev(time.Date(9999, 1, 1, 0, 0, 0, 0, zone(t, "Europe/London")))
	require.True(t, ok)
	require.Equal(t, "2096-02-29", last.Format(time.DateOnly))
	_, ok = e.Prev(time.Date(1972, 2, 29, 0, 0, 0, 0, time.UTC))
	require.False(t, ok)
	first, ok := e.Next(time.Time{})
	require.True(t, ok)
	require.Equal(t, "1972-02-29", first.Format(time.DateOnly))
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0 0 0 L-3W * ?", "0 0 0 ? * 6#3", "*/5 9-17 * * 1-5", "0 22-2/2 * LW jan-dec/2 ? 2020/3", "0 0 30 2 *", "1 2 3 4 5 6 7 8", "0 0 0 ? * FRI-MON,2L", "ſ * * * * ?"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		e, err := cron.Parse(s)
		if err != nil {
			var ce *cron.Error
			require.ErrorAs(t, err, &ce)
			require.GreaterOrEqual(t, ce.Start, 0)
			require.LessOrEqual(t, ce.Start, ce.End)
			require.LessOrEqual(t, ce.End, len(s))
			require.NotEmpty(t, ce.Message("zh"))
			return
		}
		require.NotEmpty(t, e.Words("en"))
		require.NotEmpty(t, e.Words("zh"))
		again, err := cron.Parse(e.String())
		require.NoError(t, err)
		require.Equal(t, e.String(), again.String())
		a, ok := e.Next(now)
		b, okAgain := again.Next(now)
		require.Equal(t, ok, okAgain)
		require.Equal(t, a, b)
		if ok {
			require.True(t, a.After(now))
			before, found := e.Prev(a.Add(time.Second))
			require.True(t, found)
			require.Equal(t, a, before)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	london := zone(b, "Europe/London")
	for _, expr := range []string{"0 0 2 * * ?", "0 0/5 * * * ?", "0 0 0 29 2 ? ", "0 0 0 ? * 2#5", "0 0 0 1 1 ? 2099"} {
		e := parse(b, expr)
		from := time.Date(2026, 11, 22, 5, 0, 0, 0, london)
		b.Run(expr, func(b *testing.B) {
			for b.Loop() {
				e.Next(from)
			}
		})
	}
}
