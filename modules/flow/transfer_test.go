package flow_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/plugins/storage"
)

func TestFilesAreHandedOnUnderNamesThatEveryStoreTakes(t *testing.T) {
	t.Parallel()
	run := flow.TransferRun("20260102", 7, 3, 9)
	require.Equal(t, "DATA_TRANSFER/20260102/7/3_9/", run)
	for _, c := range []struct{ task, file, want string }{
		{"load", "out/result.csv", "load_5_result.csv"},
		{"load all/day 1", "a b.txt", "load_all_day_1_5_a_b.txt"},
		{"抽取", "数据.csv", "抽取_5_数据.csv"},
		{"..", "x", ".._5_x"},
		{strings.Repeat("任", 200), strings.Repeat("x", 300) + ".csv", strings.Repeat("任", 33) + "_5_" + strings.Repeat("x", 96) + ".csv"},
	} {
		name := flow.TransferName(c.task, 5, c.file)
		require.Equal(t, c.want, name)
		require.NoError(t, storage.CheckKey(run+name))
	}
}

func TestTheLogOfARunTellsWhereItsFilesAre(t *testing.T) {
	t.Parallel()
	folder, ok := flow.TransferRunOfLog("/var/lib/dorado/logs/20260102/7/3/9/5.log")
	require.True(t, ok)
	require.Equal(t, flow.TransferRun("20260102", 7, 3, 9), folder)
	for _, bad := range []string{"", "logic/5", "/x/2026010/7/3/9/5.log", "/x/20260102/7/../9/5.log"} {
		_, ok := flow.TransferRunOfLog(bad)
		require.False(t, ok, bad)
	}
}

func TestPathsOfFilesStayInTheWorkingDirectory(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"a": "a", "./a/b/": "a/b", " a//b ": "a/b", "数据/x y": "数据/x y", "..a": "..a"} {
		got, ok := flow.WorkPath(in)
		require.True(t, ok, in)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"", ".", "./", "/", "/etc/passwd", "..", "a/../b", "../a", `a\b`, "a\nb", "a\x00b", "\xff", strings.Repeat("a", 300), strings.Repeat("a/", 600)} {
		_, ok := flow.WorkPath(bad)
		require.False(t, ok, "%q", bad)
	}
}
