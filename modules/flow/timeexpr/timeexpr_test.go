package timeexpr_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow/timeexpr"
)

func at(t testing.TB, zone, text string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	require.NoError(t, err)
	out, err := time.ParseInLocation("2006-01-02 15:04:05.000", text, loc)
	require.NoError(t, err)
	return out
}

func TestEvalAnswersLikeTheDocumentation(t *testing.T) {
	t.Parallel()
	base := at(t, "Asia/Shanghai", "2024-02-29 13:05:09.007") // a Thursday
	for expr, want := range map[string]string{
		"yyyyMMdd":                                       "20240229",
		" yyyyMMdd ":                                     "20240229",
		"yyyyMMddHHmmss":                                 "20240229130509",
		"yyyy-MM-dd HH:mm:ss":                            "2024-02-29 13:05:09",
		"yyyy/MM/dd":                                     "2024/02/29",
		"HHmmss":                                         "130509",
		"yyyyMMdd+1":                                     "20240301",
		"yyyyMMdd-1":                                     "20240228",
		"yyyyMMdd+7*2":                                   "20240314",
		"yyyyMMdd-7*(1+1)":                               "20240215",
		"yyyyMMdd-60":                                    "20231231",
		"yyyyMMdd+366":                                   "20250301",
		"yyyy-MM-dd-1":                                   "2024-02-28",
		"yyyy-MM-dd+1":                                   "2024-03-01",
		"yyyy-MM-1":                                      "2024-02", // the last sign before a digit is the offset
		"yyyy-MM+1-2":                                    "2024-02", // "+" is looked for first: one day less two
		"yyyy-MM-dd-1+2":                                 "2024-03-02-1",
		"HHmmss+1/24":                                    "140509",
		"HHmmss-1/24":                                    "120509",
		"HHmmss-15/24/60":                                "125009",
		"yyyyMMddHHmm+24/24":                             "202403011305",
		"HHmm+90/24/60":                                  "1435",
		"yyyyMMddHHmm-10/24/60":                          "202402291255",
		"HHmm+1/24/7":                                    "1313", // 1440/24/7 = 8 minutes, integers from left to right
		"HHmm+1/7/24":                                    "1313",
		"HHmm+(1)/24":                                    "1305+(1)/24", // no digit after the sign: not an offset
		"add_months(yyyyMMdd,1)":                         "20240329",
		"add_months(yyyyMMdd,-1)":                        "20240129",
		"add_months(yyyyMMdd,12)":                        "20250228",
		"add_months(yyyyMMdd,-12*1)":                     "20230228",
		"add_months(yyyy-MM-dd HH:mm,0)":                 "2024-02-29 13:05",
		"add_months(yyyyMMdd, 2 * (3 - 1) )":             "20240629",
		"add_months(yyyy,MM,1)":                          "2024,03",
		"month_begin(yyyyMMdd,0)":                        "20240201",
		"month_begin(yyyyMMdd,-1)":                       "20240131",
		"month_begin(yyyyMMddHHmmss,5)":                  "20240206130509",
		"month_end(yyyyMMdd,0)":                          "20240229",
		"month_end(yyyyMMdd,1)":                          "20240301",
		"month_end(yyyyMMdd,-5)":                         "20240224",
		"week_begin(yyyyMMdd,0)":                         "20240226",
		"week_begin(yyyyMMdd,4)":                         "20240301",
		"week_end(yyyyMMdd,0)":                           "20240303",
		"week_end(yyyyMMdd,-1)":                          "20240302",
		"month_first_day(yyyy-MM-dd)":                    "2024-02-01",
		"month_first_day(yyyy-MM-dd,-1)":                 "2024-01-01",
		"month_first_day(yyyy-MM-dd,11)":                 "2025-01-01",
		"month_last_day(yyyy-MM-dd)":                     "2024-02-29",
		"month_last_day(yyyy-MM-dd,-1)":                  "2024-01-31",
		"month_last_day(yyyy-MM-dd,12)":                  "2025-02-28",
		"week_first_day(yyyy-MM-dd)":                     "2024-02-26",
		"week_first_day(yyyy-MM-dd,-1)":                  "2024-02-19",
		"week_last_day(yyyy-MM-dd)":                      "2024-03-03",
		"week_last_day(yyyy-MM-dd,1)":                    "2024-03-10",
		"this_day(yyyy-MM-dd)":                           "2024-02-29",
		"last_day(yyyy-MM-dd)":                           "2024-02-28",
		"year_week(yyyyMMdd)":                            "202409",
		"year_week(yyyy-MM-dd)":                          "2024-09",
		"year_week(yyyy-MM-dd,5)":                        "2024-09",
		"year_week(yyyyMMdd,1)":                          "202409",
		"timestamp(yyyyMMddHHmmss)":                      "1709183109",
		"timestamp(yyyyMMddHHmmss-1)":                    "1709096709",
		"timestamp(yyyyMMdd000000)":                      "1709136000",
		"timestamp(month_begin(yyyyMMddHHmmss, 0))":      "1706763909",
		"timestamp(add_months(yyyyMMddHHmmss,12*1))":     "1740719109",
		"timestamp(month_first_day(yyyyMMdd'000000',1))": "1709222400",
		"''yyyy''":                                       "'2024'",
		"yyyy'y'":                                        "2024y",
		"'a''b'yyyy":                                     "a'b2024",
		"yyyy'-1'":                                       "2024-1",
		"yyyyMMdd'+1'-1":                                 "20240228+1",
		"add_months('x,'M,1)":                            "x,3",
	} {
		got, err := timeexpr.Eval(expr, base)
		require.NoError(t, err, expr)
		require.Equal(t, want, got, expr)
	}
}

func TestEvalRendersEachPatternLetterLikeSimpleDateFormat(t *testing.T) {
	t.Parallel()
	afternoon := at(t, "America/New_York", "2024-07-04 15:06:07.089")
	midnight := at(t, "Etc/UTC", "2023-01-01 00:00:00.000")
	for _, tc := range []struct {
		pattern, afternoon, midnight string
	}{
		{"G", "AD", "AD"},
		{"y", "2024", "2023"},
		{"yy", "24", "23"},
		{"yyy", "2024", "2023"},
		{"yyyyy", "02024", "02023"},
		{"Y", "2024", "2022"},
		{"YY", "24", "22"},
		{"M", "7", "1"},
		{"MM", "07", "01"},
		{"MMM", "Jul", "Jan"},
		{"MMMM", "July", "January"},
		{"LLLL", "July", "January"},
		{"w", "27", "52"},
		{"ww", "27", "52"},
		{"W", "1", "0"},
		{"D", "186", "1"},
		{"DDD", "186", "001"},
		{"d", "4", "1"},
		{"dd", "04", "01"},
		{"dddd", "0004", "0001"},
		{"F", "1", "1"},
		{"E", "Thu", "Sun"},
		{"EEE", "Thu", "Sun"},
		{"EEEE", "Thursday", "Sunday"},
		{"u", "4", "7"},
		{"a", "PM", "AM"},
		{"H", "15", "0"},
		{"HH", "15", "00"},
		{"k", "15", "24"},
		{"K", "3", "0"},
		{"KK", "03", "00"},
		{"h", "3", "12"},
		{"hh", "03", "12"},
		{"m", "6", "0"},
		{"mm", "06", "00"},
		{"s", "7", "0"},
		{"ss", "07", "00"},
		{"S", "89", "0"},
		{"SSS", "089", "000"},
		{"SSSSSS", "000089", "000000"},
		{"z", "EDT", "UTC"},
		{"Z", "-0400", "+0000"},
		{"X", "-04", "Z"},
		{"XX", "-0400", "Z"},
		{"XXX", "-04:00", "Z"},
		{"yyyy年MM月dd日", "2024年07月04日", "2023年01月01日"},
		{"h 'o''clock' a", "3 o'clock PM", "12 o'clock AM"},
		{"dd.MM.yyyy, HH:mm", "04.07.2024, 15:06", "01.01.2023, 00:00"},
	} {
		got, err := timeexpr.Eval(tc.pattern, afternoon)
		require.NoError(t, err, tc.pattern)
		require.Equal(t, tc.afternoon, got, tc.pattern)
		got, err = timeexpr.Eval(tc.pattern, midnight)
		require.NoError(t, err, tc.pattern)
		require.Equal(t, tc.midnight, got, tc.pattern)
	}
}

func TestEvalShowsAZoneWithoutNameByItsOffset(t *testing.T) {
	t.Parallel()
	got, err := timeexpr.Eval("z", at(t, "America/Sao_Paulo", "2024-01-01 00:00:00.000"))
	require.NoError(t, err)
	require.Equal(t, "GMT-03:00", got)
}

func TestWholeDaysAreCalendarDaysAndFractionsAreMinutes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ zone, base, expr, want string }{
		// Clocks go forward: the day has 23 hours.
		{"America/New_York", "2024-03-10 12:00:00.000", "yyyy-MM-dd HH:mm-1", "2024-03-09 12:00"},
		{"America/New_York", "2024-03-10 12:00:00.000", "yyyy-MM-dd HH:mm-24/24", "2024-03-09 11:00"},
		{"America/New_York", "2024-03-10 00:30:00.000", "yyyy-MM-dd HH:mm+2/24", "2024-03-10 03:30"},
		{"Europe/London", "2024-03-31 12:00:00.000", "yyyy-MM-dd HH:mm-1", "2024-03-30 12:00"},
		{"Europe/London", "2024-03-31 12:00:00.000", "yyyy-MM-dd HH:mm-1440/24/60", "2024-03-30 11:00"},
		// Clocks go back: the day has 25 hours.
		{"America/New_York", "2024-11-03 12:00:00.000", "yyyy-MM-dd HH:mm-1", "2024-11-02 12:00"},
		{"America/New_York", "2024-11-03 12:00:00.000", "yyyy-MM-dd HH:mm-24/24", "2024-11-02 13:00"},
		{"Europe/London", "2024-10-26 00:00:00.000", "yyyyMMdd+1", "20241027"},
		{"Europe/London", "2024-10-27 00:00:00.000", "yyyyMMdd+1", "20241028"},
		// No change of clocks.
		{"Asia/Shanghai", "2024-03-10 12:00:00.000", "yyyy-MM-dd HH:mm-24/24", "2024-03-09 12:00"},
		// A skipped time of day moves forward by the gap, a doubled one is the first.
		{"America/New_York", "2024-03-09 02:30:00.000", "yyyy-MM-dd HH:mm Z+1", "2024-03-10 03:30 -0400"},
		{"America/New_York", "2024-03-11 02:30:00.000", "yyyy-MM-dd HH:mm Z-1", "2024-03-10 03:30 -0400"},
		{"America/New_York", "2024-02-10 02:30:00.000", "add_months(yyyy-MM-dd HH:mm Z,1)", "2024-03-10 03:30 -0400"},
		{"America/New_York", "2024-11-04 01:30:00.000", "yyyy-MM-dd HH:mm Z-1", "2024-11-03 01:30 -0400"},
		{"Europe/London", "2024-03-30 01:15:00.000", "yyyy-MM-dd HH:mm Z+1", "2024-03-31 02:15 +0100"},
		{"Europe/London", "2024-10-01 01:15:00.000", "month_begin(yyyy-MM-dd HH:mm Z,26)", "2024-10-27 01:15 +0100"},
		{"Pacific/Apia", "2011-12-29 12:00:00.000", "yyyy-MM-dd HH:mm+1", "2011-12-31 12:00"}, // a day that never was
		{"America/Sao_Paulo", "2018-11-03 00:00:00.000", "yyyyMMddHH+1", "2018110401"},        // a day without midnight
	} {
		got, err := timeexpr.Eval(tc.expr, at(t, tc.zone, tc.base))
		require.NoError(t, err, tc.expr)
		require.Equal(t, tc.want, got, "%s at %s in %s", tc.expr, tc.base, tc.zone)
	}
}

func TestTimestampIsExactInAnHourThatOccursTwice(t *testing.T) {
	t.Parallel()
	first := at(t, "America/New_York", "2024-11-03 01:30:00.000")
	for _, base := range []time.Time{first, first.Add(time.Hour)} {
		got, err := timeexpr.Eval("timestamp(yyyyMMddHHmmss)", base)
		require.NoError(t, err)
		require.Equal(t, strconv.FormatInt(base.Unix(), 10), got)
	}
}

func TestYearWeekNamesTheYearTheWeekBelongsTo(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ date, expr, want string }{
		{"2024-12-30", "year_week(yyyy-MM-dd)", "2025-01"},
		{"2024-12-29", "year_week(yyyy-MM-dd)", "2024-52"},
		{"2021-01-03", "year_week(yyyy-MM-dd)", "2020-53"},
		{"2021-01-04", "year_week(yyyyMMdd)", "202101"},
		{"2023-01-01", "year_week(yyyy-MM-dd)", "2022-52"},
		{"2023-01-01", "year_week(yyyy-MM-dd,7)", "2023-01"},
		{"2022-12-31", "year_week(yyyy-MM-dd,7)", "2022-52"},
		{"2024-01-01", "year_week(yyyy-MM-dd,2)", "2023-52"},
	} {
		got, err := timeexpr.Eval(tc.expr, at(t, "Asia/Shanghai", tc.date+" 00:00:00.000"))
		require.NoError(t, err)
		require.Equal(t, tc.want, got, "%s on %s", tc.expr, tc.date)
	}
}

func TestYearWeekAgreesWithISOWeeks(t *testing.T) {
	t.Parallel()
	for day := at(t, "Etc/UTC", "1999-12-20 00:00:00.000"); day.Year() < 2030; day = day.AddDate(0, 0, 1) {
		year, week := day.ISOWeek()
		got, err := timeexpr.Eval("year_week(yyyy-MM-dd)", day)
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(year)+"-"+strconv.Itoa(100 + week)[1:], got)
	}
}

func TestBadExpressionsAreErrorsThatNameThem(t *testing.T) {
	t.Parallel()
	base := at(t, "Asia/Shanghai", "2024-02-29 13:05:09.007")
	for expr, reason := range map[string]string{
		"":                             "empty",
		"  ":                           "empty",
		"foo":                          "no date pattern letter",
		"yyyy'":                        "quote is not closed",
		"XXXX":                         "at most three",
		"add_months(yyyyMMdd)":         "needs a second argument",
		"month_begin(yyyyMMdd)":        "needs a second argument",
		"week_end(yyyyMMdd)":           "needs a second argument",
		"add_months(yyyyMMdd,)":        "integer arithmetic",
		"add_months(yyyyMMdd,1.5)":     "integer arithmetic",
		"add_months(yyyyMMdd,x)":       "integer arithmetic",
		"add_months(yyyyMMdd,1":        "whole expression",
		"add_months(yyyyMMdd,1)-1":     "whole expression",
		"add_months(,1)":               "needs a format",
		"add_months(yyyyMMdd,1/0)":     "division by zero",
		"add_months(yyyyMMdd,1/(2-2))": "division by zero",
		"add_months(yyyyMMdd,((1))":    "not closed",
		"add_months(yyyyMMdd,999999)":  "years 1 to 9999",
		"add_months(yyyyMMdd,-24290)":  "years 1 to 9999",
		"add_months(yyyyMMdd,9223372036854775808)":                                               "too large",
		"add_months(yyyyMMdd,9223372036854775807+1)":                                             "too large",
		"add_months(yyyyMMdd,0-9223372036854775807-2)":                                           "too large",
		"add_months(yyyyMMdd,9223372036854775807*2)":                                             "too large",
		"add_months(yyyyMMdd,(0-9223372036854775807-1)/-1)":                                      "too large",
		"add_months(yyyyMMdd,(0-9223372036854775807-1)*-1)":                                      "too large",
		"add_months(yyyyMMdd,-(0-9223372036854775807-1))":                                        "too large",
		"add_months(yyyyMMdd,1-(0-9223372036854775807-1))":                                       "too large",
		"add_months(yyyyMMdd," + strings.Repeat("(", 400) + "1" + strings.Repeat(")", 400) + ")": "too many parentheses",
		"add_months(yyyyMMdd," + strings.Repeat("-", 400) + "1)":                                 "too many parentheses",
		"yyyyMMdd-9999999":                 "years 1 to 9999",
		"yyyyMMdd+9223372036854775807":     "years 1 to 9999",
		"yyyyMMdd+99999999/24":             "years 1 to 9999",
		"yyyyMMdd+8000*365":                "years 1 to 9999",
		"yyyyMMdd-1/0":                     "division by zero",
		"yyyyMMdd-1/":                      "integer arithmetic",
		"yyyyMMdd-1x":                      "integer arithmetic",
		"-1":                               "no date pattern",
		"week_first_day(yyyyMMdd,9999999)": "years 1 to 9999",
		"week_begin(yyyyMMdd,9223372036854775807)": "years 1 to 9999",
		"this_day(yyyyMMdd,1)":                     "nothing else",
		"last_day(yyyyMMdd,1)":                     "nothing else",
		"year_week(yyyyMMdd,0)":                    "first day of the week",
		"year_week(yyyyMMdd,8)":                    "first day of the week",
		"timestamp(yyyyMMdd)":                      "needs the format yyyyMMddHHmmss",
		"timestamp(yyyy-MM-dd HH:mm:ss)":           "needs the format yyyyMMddHHmmss",
		"timestamp(yyyyMMdd250000)":                "no date and time",
		"timestamp(yyyy0230000000)":                "no date and time",
		"timestamp(timestamp(yyyyMMddHHmmss))":     "no date pattern letter",
		"timestamp()":                              "",
		strings.Repeat("y", 2000):                  "longer than",
	} {
		_, err := timeexpr.Eval(expr, base)
		var bad *timeexpr.Error
		require.ErrorAs(t, err, &bad, expr)
		require.Equal(t, expr, bad.Expr)
		require.ErrorContains(t, err, reason, expr)
		require.Less(t, len(err.Error()), 3000)
	}
}

func TestReplaceLeavesWhatShellsMeanAlone(t *testing.T) {
	t.Parallel()
	base := at(t, "Asia/Shanghai", "2024-02-29 13:05:09.007")
	for text, want := range map[string]string{
		"":                                     "",
		"plain $x ${y} [z]":                    "plain $x ${y} [z]",
		"a $[yyyyMMdd] b $[yyyyMMdd-1]!":       "a 20240229 b 20240228!",
		"$[yyyyMMdd]$[HH]":                     "2024022913",
		"$[0] $[12+3] $[9zzz]":                 "$[0] $[12+3] $[9zzz]",
		"awk '{print $[1]}' $[dd]":             "awk '{print $[1]}' 29",
		"open $[yyyy":                          "open $[yyyy",
		"over $[yyyy\nlines] $[MM]":            "over $[yyyy\nlines] 02",
		"$[":                                   "$[",
		"x$":                                   "x$",
		"$[1":                                  "$[1",
		"$[timestamp(yyyyMMddHHmmss)] $[E] ]]": "1709183109 Thu ]]",
	} {
		got, err := timeexpr.Replace(text, base)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
}

func TestReplaceNamesTheFirstBadExpression(t *testing.T) {
	t.Parallel()
	_, err := timeexpr.Replace("a $[yyyy] b $[nope(1)] c $[]", at(t, "Asia/Shanghai", "2024-02-29 13:05:09.007"))
	require.ErrorContains(t, err, "$[nope(1)]")
}

func TestReplaceTakesLinearTime(t *testing.T) {
	t.Parallel()
	base := at(t, "Asia/Shanghai", "2024-02-29 13:05:09.007")
	for _, text := range []string{strings.Repeat("$[", 2<<20), strings.Repeat("$[0", 1<<20) + "]", strings.Repeat("$[\n", 1<<20)} {
		_, err := timeexpr.Replace(text, base) // quadratic work would take hours, and the test runner would say so
		require.NoError(t, err)
	}
}

func FuzzReplace(f *testing.F) {
	for _, seed := range []string{
		"$[yyyyMMdd-1]", "$[add_months(yyyyMMdd,-12*1)]", "$[timestamp(month_end(yyyyMMddHHmmss,-(3)))]", "$[0]", "$[yyyy'x'+1/24/60]",
		"$[year_week(yyyy-MM-dd,7)]", "$[h:m a EEEE, z Z XXX W w u k K S D F G]", "$[week_begin(y,9223372036854775807)]",
	} {
		f.Add(seed, int64(1709183109), 0)
	}
	zones := []string{"Asia/Shanghai", "America/New_York", "Europe/London", "Pacific/Apia", "Etc/UTC"}
	f.Fuzz(func(t *testing.T, text string, seconds int64, zone int) {
		loc, err := time.LoadLocation(zones[uint(zone)%uint(len(zones))])
		require.NoError(t, err)
		base := time.Unix(seconds%(1<<37), 0).In(loc)
		got, err := timeexpr.Replace(text, base)
		if err != nil {
			return
		}
		again, err := timeexpr.Replace(text, base)
		require.NoError(t, err)
		require.Equal(t, got, again)
		if utf8.ValidString(text) {
			require.True(t, utf8.ValidString(got))
		}
	})
}

func BenchmarkReplace(b *testing.B) {
	base := at(b, "Asia/Shanghai", "2024-02-29 13:05:09.007")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = timeexpr.Replace("run --day $[yyyyMMdd-1] --month $[add_months(yyyyMM,-1)]", base)
	}
}
