package dataquality_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	dataquality "dorado/plugins/task/data_quality"
)

func series(t *testing.T, raw string) task.Series {
	t.Helper()
	values, problems := dataquality.Plugin().Decode([]byte(raw))
	require.Empty(t, problems)
	return dataquality.Plugin().Measures(values)
}

func TestExpectedValuesAreMadeOfTheDaysTheyName(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	at := func(text string) time.Time {
		v, err := time.ParseInLocation(time.DateTime, text, zone)
		require.NoError(t, err)
		return v
	}
	for _, c := range []struct{ kind, now, from, to string }{
		{"2", "2026-05-14 13:00:00", "2026-05-14 00:00:00", "2026-05-15 00:00:00"},
		{"3", "2026-05-14 13:00:00", "2026-05-11 00:00:00", "2026-05-14 00:00:00"},
		{"3", "2026-05-11 00:00:00", "2026-05-11 00:00:00", "2026-05-11 00:00:00"}, // a Monday
		{"3", "2026-05-17 23:59:59", "2026-05-11 00:00:00", "2026-05-17 00:00:00"}, // a Sunday
		{"4", "2026-05-14 13:00:00", "2026-05-01 00:00:00", "2026-05-14 00:00:00"},
		{"4", "2026-05-01 13:00:00", "2026-05-01 00:00:00", "2026-05-01 00:00:00"},
		{"5", "2026-03-31 13:00:00", "2026-03-24 00:00:00", "2026-03-31 00:00:00"}, // clocks change within it
		{"6", "2026-03-01 13:00:00", "2026-01-30 00:00:00", "2026-03-01 00:00:00"},
	} {
		from, to := series(t, settings(10, inputs{"comparison_type": c.kind})).Window(at(c.now))
		require.Equal(t, []string{c.from, c.to}, []string{from.Format(time.DateTime), to.Format(time.DateTime)}, "%s at %s", c.kind, c.now)
	}
	for _, kind := range []string{"1", "7"} {
		require.Nil(t, series(t, settings(10, inputs{"comparison_type": kind})).Window)
	}
	require.Nil(t, series(t, settings(4, inputs{
		"comparison_type": "3", "statistics_execute_sql": "x", "target_datasource_id": 1, "comparison_execute_sql": "x",
	})).Window, "two statements have no such choice")
}

func TestResultsBelongTogetherWhenTheyMeasureTheSame(t *testing.T) {
	t.Parallel()
	first := series(t, settings(1, inputs{"src_field": "name", "src_filter": "day = '$[yyyy-MM-dd]'"})).Key
	require.Len(t, first, 44)
	for name, value := range map[string]any{
		"threshold": "7", "operator": "1", "check_type": "2", "comparison_type": "3", "comparison_name": "4", "failure_strategy": "0", "enum_list": "of another rule",
	} {
		require.Equal(t, first, series(t, settings(1, inputs{"src_field": "name", "src_filter": "day = '$[yyyy-MM-dd]'", name: value})).Key, name)
	}
	for name, value := range map[string]any{"src_field": "id", "src_filter": "", "src_table": "copies", "src_datasource_id": 2} {
		more := inputs{"src_field": "name", "src_filter": "day = '$[yyyy-MM-dd]'"}
		more[name] = value
		require.NotEqual(t, first, series(t, settings(1, more)).Key, name)
	}
	require.NotEqual(t, first, series(t, settings(6, inputs{"src_field": "name", "src_filter": "day = '$[yyyy-MM-dd]'"})).Key)
}

func TestTheExpectedValueIsTheAverageOfEarlierOnes(t *testing.T) {
	t.Parallel()
	sources := map[int64]task.Source{1: postgres(t, 1)}
	from := time.Date(2026, 5, 7, 0, 0, 0, 0, time.UTC)
	past := &task.Past{Count: 3, Average: "3.3333333333333333", From: from, To: from.AddDate(0, 0, 7)}
	raw := settings(10, inputs{"comparison_type": 5, "check_type": 1, "operator": 3, "threshold": "2", "failure_strategy": "0"})
	r, out, log, err := tryAfter(t, sources, raw, past)
	require.NoError(t, err)
	require.Equal(t, "3.33", r.ComparisonValue, "two digits after the point")
	require.Equal(t, []any{"1.67", 1, "5"}, []any{r.CheckValue, r.State, out.Measured})
	require.Nil(t, out.Alert)
	require.Contains(t, log, "average of 3 earlier values from 2026-05-07 00:00:00 to 2026-05-14 00:00:00: 3.33")

	past.Average = "1.5"
	r, out, _, err = tryAfter(t, sources, raw, past)
	require.NoError(t, err)
	require.Equal(t, []any{"3.5", 2}, []any{r.CheckValue, r.State})
	require.NotNil(t, out.Alert)

	r, out, log, err = tryAfter(t, sources, strings.Replace(raw, `"failure_strategy":"0"`, `"failure_strategy":"1"`, 1), &task.Past{From: from, To: from})
	require.NoError(t, err, "the first attempts of a task have nothing to be compared with")
	require.Equal(t, []any{"", "", 0}, []any{r.ComparisonValue, r.CheckValue, r.State})
	require.Contains(t, r.Reason, "no earlier value")
	require.Equal(t, "5", out.Measured, "they are what later ones are compared with")
	require.Nil(t, out.Alert)
	require.Contains(t, log, "the rule was not judged")

	_, _, _, err = tryAfter(t, sources, raw, &task.Past{Count: 1, Average: "NaN"})
	require.ErrorContains(t, err, "the average of earlier values is no number")
}

func TestTheFirstRowsThatBreakARuleAreKeptForThePage(t *testing.T) {
	t.Parallel()
	source := postgres(t, 1)
	pool, err := source.Plugin.Open(source.Settings)
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	_, err = pool.ExecContext(t.Context(), `CREATE TABLE big AS SELECT n AS id, NULL::text AS name, repeat('é<"', 5000) AS long FROM generate_series(1, 300) n;
		CREATE TABLE many AS SELECT n AS id, NULL::text AS name, 'NULL' AS word FROM generate_series(1, 300) n`)
	require.NoError(t, err)
	sources := map[int64]task.Source{1: source}
	rows := func(raw string) dataquality.Rows {
		t.Helper()
		_, out, _, err := try(t, sources, raw)
		require.NoError(t, err)
		require.LessOrEqual(t, len(out.Detail), 64<<10)
		var found dataquality.Rows
		require.NoError(t, json.Unmarshal(out.Detail, &found))
		return found
	}
	few := rows(settings(1, inputs{"src_field": "name", "failure_strategy": "0", "src_filter": "id > 2"}))
	require.False(t, few.More)
	require.Len(t, few.Rows, 1)
	require.Equal(t, "id name code made day state amount", strings.Join(few.Columns, " "))
	require.Nil(t, few.Rows[0][1], "NULL is not the text NULL")
	require.Equal(t, "20.25", *few.Rows[0][6])

	many := rows(settings(1, inputs{"src_table": "many", "src_field": "name", "failure_strategy": "0"}))
	require.True(t, many.More)
	require.Len(t, many.Rows, 100)
	require.Equal(t, "NULL", *many.Rows[99][2])
	require.Nil(t, many.Rows[99][1])

	big := rows(settings(1, inputs{"src_table": "big", "src_field": "name", "failure_strategy": "0"}))
	require.True(t, big.More)
	require.NotEmpty(t, big.Rows)
	require.Less(t, len(big.Rows), 100)
	require.Len(t, []rune(*big.Rows[0][2]), 1000)

	_, out, _, err := try(t, sources, settings(10, inputs{"failure_strategy": "0"}))
	require.NoError(t, err)
	require.Nil(t, out.Detail, "there are no rows to show")
}
