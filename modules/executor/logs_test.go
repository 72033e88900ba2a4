package executor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
	"dorado/modules/tasklog"
)

// logFile writes a log below the worker's log directory and returns its path.
func logFile(t testing.TB, w *worker, text string) string {
	t.Helper()
	path := filepath.Join(w.cfg.LogDir, "20240101", "1", "1", "1", fmt.Sprintf("%d.log", lastID.Add(1)))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o640))
	return path
}

func linesOf(path string, from int64, limit int32) *doradov1.LogRequest {
	return &doradov1.LogRequest{Path: path, Want: &doradov1.LogRequest_Lines{Lines: &doradov1.LogLines{From: from, Limit: limit}}}
}

func searchIn(path string, s *doradov1.LogSearch) *doradov1.LogRequest {
	return &doradov1.LogRequest{Path: path, Want: &doradov1.LogRequest_Search{Search: s}}
}

// one returns the only reply.
func one(t testing.TB, replies <-chan *doradov1.LogReply) *doradov1.LogReply {
	t.Helper()
	select {
	case r := <-replies:
		require.True(t, r.GetDone())
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("no reply")
		return nil
	}
}

func TestAMillionLinesArePagedFromBothEnds(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	var b strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	b.WriteString("unfinished")
	path := logFile(t, w, b.String())
	r := one(t, m.ask(linesOf(path, 0, 3)))
	require.Equal(t, []string{"line 0", "line 1", "line 2"}, r.GetLines())
	require.EqualValues(t, 1_000_001, r.GetTotal())
	require.EqualValues(t, b.Len(), r.GetSize())
	require.True(t, r.GetMore())
	require.False(t, r.GetPartial())
	r = one(t, m.ask(linesOf(path, 999_998, 5000)))
	require.Equal(t, []string{"line 999998", "line 999999", "unfinished"}, r.GetLines())
	require.True(t, r.GetPartial())
	require.False(t, r.GetMore())
	r = one(t, m.ask(linesOf(path, -2, 0)))
	require.EqualValues(t, 999_999, r.GetFrom())
	require.Equal(t, []string{"line 999999", "unfinished"}, r.GetLines())
	r = one(t, m.ask(linesOf(path, 500_000, 1_000_000)))
	require.Len(t, r.GetLines(), tasklog.MaxLines)
	require.Equal(t, "line 504999", r.GetLines()[tasklog.MaxLines-1])

	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(" now done\nnext\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	r = one(t, m.ask(linesOf(path, 1_000_000, 10)))
	require.Equal(t, []string{"unfinished now done", "next"}, r.GetLines(), "the index grows with the file")
	require.NoError(t, os.WriteFile(path, []byte("anew\n"), 0o600))
	r = one(t, m.ask(linesOf(path, 0, 10)))
	require.Equal(t, []string{"anew"}, r.GetLines())
	r = one(t, m.ask(linesOf(path, 99, 10)))
	require.Empty(t, r.GetLines())
}

func TestEveryLineCountsOnceWhereverThePageBegins(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	var b strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&b, "%d%s\n", i, strings.Repeat(" ", i%997))
	}
	path := logFile(t, w, b.String())
	for _, from := range []int64{0, 1, 999, 1000, 1001, 1999, 2000, 2499} {
		r := one(t, m.ask(linesOf(path, from, 2)))
		require.Equal(t, fmt.Sprint(from), strings.TrimSpace(r.GetLines()[0]))
		require.Equal(t, from, r.GetFrom())
		require.Equal(t, from < 2498, r.GetMore())
	}
}

func TestGarbageAndEndlessLinesAreShownAsValidText(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	path := logFile(t, w, "ok\n\xff\xfe\x00\n"+strings.Repeat("x", 2*tasklog.MaxLine+5)+"\nlast\n")
	r := one(t, m.ask(linesOf(path, 0, 100)))
	require.Equal(t, []string{"ok", "\uFFFD\x00"}, r.GetLines()[:2])
	require.Len(t, r.GetLines(), 6, "the long line counts as three")
	require.Len(t, r.GetLines()[2], tasklog.MaxLine)
	require.Equal(t, "xxxxx", r.GetLines()[4])
	require.Equal(t, "last", r.GetLines()[5])
	big := logFile(t, w, strings.Repeat(strings.Repeat("y", tasklog.MaxLine-1)+"\n", 10))
	r = one(t, m.ask(linesOf(big, 0, 100)))
	require.Less(t, len(r.GetLines()), 10, "an answer stays below the size of a frame")
	require.True(t, r.GetMore())
}

func TestSearchFindsTextAndPatternsInTheWholeLog(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	path := logFile(t, w, strings.Repeat("nothing\n", 3000)+"an Error (7)\n"+strings.Repeat("nothing\n", 10)+"ERROR 8\n")
	r := one(t, m.ask(searchIn(path, &doradov1.LogSearch{Query: "error"})))
	require.Equal(t, []int64{3000, 3011}, r.GetNumbers())
	require.Equal(t, []string{"an Error (7)", "ERROR 8"}, r.GetLines())
	require.False(t, r.GetMore())
	r = one(t, m.ask(searchIn(path, &doradov1.LogSearch{Query: "ERROR", MatchCase: true})))
	require.Equal(t, []int64{3011}, r.GetNumbers())
	r = one(t, m.ask(searchIn(path, &doradov1.LogSearch{Query: `r \(?\d`, Regex: true, From: 3001})))
	require.Equal(t, []int64{3011}, r.GetNumbers())
	r = one(t, m.ask(searchIn(path, &doradov1.LogSearch{Query: "(7)"})))
	require.Equal(t, []int64{3000}, r.GetNumbers(), "a text is no pattern")
	r = one(t, m.ask(searchIn(path, &doradov1.LogSearch{Query: "nothing", Limit: 10})))
	require.Len(t, r.GetNumbers(), 10)
	require.True(t, r.GetMore())
	require.EqualValues(t, 10, r.GetFrom())
	for _, bad := range []string{"", "(", strings.Repeat("a", 2000)} {
		require.Equal(t, logBadPattern, one(t, m.ask(searchIn(path, &doradov1.LogSearch{Query: bad, Regex: true}))).GetError())
	}
}

func TestADownloadIsTheFileByteForByte(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	text := strings.Repeat("\x00\xffabc\n", 200_000)
	path := logFile(t, w, text)
	replies := m.ask(&doradov1.LogRequest{Path: path, Want: &doradov1.LogRequest_Bytes{Bytes: &doradov1.LogBytes{Offset: 3}}})
	var got strings.Builder
	for {
		r := <-replies
		require.LessOrEqual(t, len(r.GetData()), tasklog.ChunkSize)
		got.Write(r.GetData())
		if r.GetDone() {
			break
		}
	}
	require.Equal(t, text[3:], got.String())
}

func TestFollowShowsARunningAttemptToItsEnd(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	job := shellTask("for i in 1 2 3; do echo step $i; sleep 0.15; done; printf half; sleep 0.3; echo ' whole'")
	m.dispatch(job)
	path := m.report(job.GetId(), doradov1.ReportKind_STARTED).GetLogPath()
	replies := m.ask(&doradov1.LogRequest{Path: path, Want: &doradov1.LogRequest_Follow{Follow: &doradov1.LogFollow{From: 2}}})
	lines := map[int64]string{}
	pieces, partial := 0, false
	for r := range replies {
		for i, line := range r.GetLines() {
			lines[r.GetFrom()+int64(i)] = line
		}
		pieces++
		partial = partial || r.GetPartial()
		if r.GetDone() {
			break
		}
	}
	require.Greater(t, pieces, 3, "it came while the attempt ran")
	require.True(t, partial)
	require.Len(t, lines, 5)
	require.Equal(t, "step 1", lines[2])
	require.Equal(t, "half whole", lines[5])
	require.Contains(t, lines[6], "exit code 0")
}

func TestFollowIsCancelled(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	startWorker(t, testConfig(t), m)
	job := shellTask("sleep 1000")
	m.dispatch(job)
	path := m.report(job.GetId(), doradov1.ReportKind_STARTED).GetLogPath()
	request := &doradov1.LogRequest{Path: path, Want: &doradov1.LogRequest_Follow{Follow: &doradov1.LogFollow{}}}
	replies := m.ask(request)
	require.Len(t, (<-replies).GetLines(), 2)
	m.mu.Lock()
	s := m.data
	m.mu.Unlock()
	require.NoError(t, s.Send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Log{
		Log: &doradov1.LogRequest{Call: request.GetCall(), Want: &doradov1.LogRequest_Cancel{Cancel: &doradov1.LogCancel{}}},
	}}))
	require.True(t, (<-replies).GetDone())
	require.Equal(t, logInUse, one(t, m.ask(&doradov1.LogRequest{Path: path, Want: &doradov1.LogRequest_Remove{Remove: &doradov1.LogRemove{}}})).GetError())
}

func TestOnlyLogsBelowTheirDirectoryCanBeReadOrRemoved(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	secret := filepath.Join(t.TempDir(), "1.log")
	require.NoError(t, os.WriteFile(secret, []byte("secret\n"), 0o600))
	path := logFile(t, w, "public\n")
	dir := filepath.Dir(path)
	require.NoError(t, os.Symlink(secret, filepath.Join(dir, "99.log")))
	require.NoError(t, os.Symlink(filepath.Dir(secret), filepath.Join(dir, "link")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "5.log"), 0o700))
	relative, err := filepath.Rel(w.cfg.LogDir, path)
	require.NoError(t, err)
	require.Equal(t, []string{"public"}, one(t, m.ask(linesOf(relative, 0, 1))).GetLines())
	for _, bad := range []string{
		"", ".", "/", "/etc/passwd", secret, dir, filepath.Join(dir, "99.log"), filepath.Join(dir, "link/1.log"), filepath.Join(dir, "notes.txt"),
		filepath.Join(dir, "5.log"), w.cfg.LogDir + "/../1.log", "../1.log", relative + "/../1.log", w.cfg.LogDir + "x/1.log", "a\x00/1.log", "//" + path,
	} {
		require.Equal(t, logGone, one(t, m.ask(linesOf(bad, 0, 1))).GetError(), "%q", bad)
	}
	remove := func(path string) string {
		return one(t, m.ask(&doradov1.LogRequest{Path: path, Want: &doradov1.LogRequest_Remove{Remove: &doradov1.LogRemove{}}})).GetError()
	}
	require.Equal(t, logGone, remove(filepath.Join(dir, "link/1.log")))
	require.Equal(t, logGone, remove("../../../etc/1.log"))
	require.FileExists(t, secret)
	lone := filepath.Join(w.cfg.LogDir, "20240102", "1", "1", "1", "77777777.log")
	require.NoError(t, os.MkdirAll(filepath.Dir(lone), 0o750))
	require.NoError(t, os.WriteFile(lone, nil, 0o640))
	require.Empty(t, remove(lone))
	require.NoDirExists(t, filepath.Join(w.cfg.LogDir, "20240102"), "empty directories go with it")
	require.Empty(t, remove(lone), "removing it twice is no error")
	require.Equal(t, logGone, one(t, m.ask(linesOf(lone, 0, 1))).GetError())
	require.FileExists(t, path)
}

func TestAnUnsupportedRequestIsAnsweredAndTheStreamLasts(t *testing.T) {
	t.Parallel()
	m := newScripted(t, "m")
	w := startWorker(t, testConfig(t), m)
	path := logFile(t, w, "x\n")
	require.Equal(t, logInternal, one(t, m.ask(&doradov1.LogRequest{Path: path})).GetError())
	require.Equal(t, []string{"x"}, one(t, m.ask(linesOf(path, 0, 1))).GetLines())
}
