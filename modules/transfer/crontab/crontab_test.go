package crontab_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow/cron"
	"dorado/modules/transfer/crontab"
	"dorado/modules/transfer/neutral"
)

func TestTimesOfACrontabBecomeExpressions(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"0 2 * * *":       {"0 0 2 * * ?"},
		"*/15 * * * *":    {"0 0/15 * * * ?"},
		"5,35 8-18 * * *": {"0 5,35 8-18 * * ?"},
		"0 0 1 * *":       {"0 0 0 1 * ?"},
		"0 0 */2 * *":     {"0 0 0 1/2 * ?"},
		"30 6 * * 1-5":    {"0 30 6 ? * MON-FRI"},
		"30 6 * * 0,7":    {"0 30 6 ? * SUN"},
		"0 0 * jan,jul *": {"0 0 0 * 1,7 ?"},
		"0 0 * * fri-sun": nil, // five to zero, as crontab refuses it
		"0 0 * * 5-7":     {"0 0 0 ? * SUN,FRI,SAT"},
		"0 12 13 * fri":   {"0 0 12 13 * ?", "0 0 12 ? * FRI"},
		"@daily":          {"0 0 0 * * ?"},
		"@weekly":         {"0 0 0 ? * SUN"},
		"@hourly":         {"0 0 * * * ?"},
		"@yearly":         {"0 0 0 1 1 ?"},
		"1-59/2 * * * *":  {"0 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31,33,35,37,39,41,43,45,47,49,51,53,55,57,59 * * * ?"},
		"@reboot":         nil,
		"60 * * * *":      nil,
		"* * * *":         nil,
		"*/0 * * * *":     nil,
		"0 0 */2 * 1":     nil, // both at once, which no expression says
		"5-1 * * * *":     nil,
	} {
		got, err := crontab.Quartz(in)
		require.Equal(t, want, got, in)
		require.Equal(t, want == nil, err != nil, in)
		for _, e := range got {
			_, err := cron.Parse(e)
			require.NoError(t, err, e)
		}
	}
}

func read(t *testing.T, text string, system bool) *neutral.Bundle {
	t.Helper()
	b := &neutral.Bundle{}
	require.NoError(t, crontab.Read(b, "crontab", []byte(text), system))
	require.NoError(t, b.Finish())
	return b
}

func script(t *testing.T, w neutral.Workflow) string {
	t.Helper()
	var p struct{ RawScript string }
	require.NoError(t, json.Unmarshal(w.Definition.Tasks[0].Params, &p))
	return p.RawScript
}

func TestEachLineIsAWorkflowWithASchedule(t *testing.T) {
	t.Parallel()
	b := read(t, "MAILTO=ops@example.org\nCRON_TZ=Asia/Shanghai\nDATA='/srv/my data'\n\n# nightly report\n0 2 * * * /opt/report.sh --full > /dev/null\n"+
		"*/5 * * * *\tcd /srv && ./poll.py %\n@reboot /bin/warm\nnonsense\n", false)
	require.Len(t, b.Workflows, 3)
	w := b.Workflows[0]
	require.Equal(t, "nightly report", w.Name())
	require.Equal(t, []neutral.Schedule{{Crontab: "0 0 2 * * ?", Zone: "Asia/Shanghai"}}, w.Schedules)
	require.Equal(t, "export DATA='/srv/my data'\n/opt/report.sh --full > /dev/null\n", script(t, w))
	require.Equal(t, "srv", b.Workflows[1].Name())
	require.Empty(t, b.Workflows[2].Schedules, "nothing starts with the machine")
	levels := map[string]neutral.Level{}
	lines := map[string]int{}
	for _, n := range b.Notes {
		levels[n.Key], lines[n.Key] = n.Level, n.Line
	}
	require.Equal(t, neutral.Impossible, levels["transfer.note.cron_mail"])
	require.Equal(t, neutral.Impossible, levels["transfer.note.cron_time"])
	require.Equal(t, 8, lines["transfer.note.cron_time"])
	require.Equal(t, 9, lines["transfer.note.cron_line"])
}

func TestPercentSignsEndTheCommandAndBecomeItsInput(t *testing.T) {
	t.Parallel()
	b := read(t, `0 0 * * * mail -s "100\% of `+"`date +\\%F`"+`" x%Hello%World`, false)
	require.Equal(t, "mail -s \"100% of `date +%F`\" x <<'END_OF_INPUT'\nHello\nWorld\nEND_OF_INPUT\n", script(t, b.Workflows[0]))
}

func TestSystemFilesNameTheUser(t *testing.T) {
	t.Parallel()
	b := read(t, "17 * * * * www-data cd / && run-parts /etc/cron.hourly\n", true)
	require.Equal(t, "www-data", b.Workflows[0].Schedules[0].Tenant)
	require.Equal(t, "cd / && run-parts /etc/cron.hourly\n", script(t, b.Workflows[0]))
}

func TestOtherTextsAreNotTakenForCrontabs(t *testing.T) {
	t.Parallel()
	require.True(t, crontab.Looks([]byte("# x\nA=b\n0 2 * * * ls\n")))
	for _, s := range []string{"", "hello world", "name: daily\ntasks: []\n", "0 2 * *", "#only\n", "0 2 * * * ls\nand more text of some kind here\n"} {
		require.False(t, crontab.Looks([]byte(s)), s)
	}
	require.ErrorIs(t, crontab.Read(&neutral.Bundle{}, "x", []byte("# nothing\n"), false), neutral.ErrUnreadable)
}

func FuzzCrontab(f *testing.F) {
	for _, s := range []string{"0 2 * * * ls", "@daily x", "A=b\n* * * * * c % d \\% e", "1,2-3/4 * * * mon x\n", "\x00\xff * * * * *"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := &neutral.Bundle{}
		if crontab.Read(b, "crontab", []byte(s), len(s)%2 == 0) != nil {
			return
		}
		require.NoError(t, b.Finish())
		for _, w := range b.Workflows {
			require.True(t, json.Valid(w.Definition.Tasks[0].Params))
			for _, s := range w.Schedules {
				_, err := cron.Parse(s.Crontab)
				require.NoError(t, err, s.Crontab)
			}
		}
	})
}
