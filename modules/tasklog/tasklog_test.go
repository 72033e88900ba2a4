package tasklog_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
	"dorado/modules/tasklog"
	"dorado/plugins/storage"
	"dorado/plugins/storage/local"
)

// counting counts how much is read of a store.
type counting struct {
	*local.Store
	opened atomic.Int64
	read   atomic.Int64
}

func (c *counting) Get(ctx context.Context, key string, offset int64) (io.ReadCloser, storage.Info, error) {
	c.opened.Add(1)
	r, info, err := c.Store.Get(ctx, key, offset)
	if err != nil {
		return nil, info, err
	}
	return &counted{r, &c.read}, info, nil
}

type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

const path = "/any/where/logs/20261122/7/1/12/345.log"

// archive holds one log.
func archive(t *testing.T, text []byte) (*tasklog.Archive, *counting) {
	t.Helper()
	s, err := local.Open(local.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	c := &counting{Store: s}
	a := tasklog.NewArchive(c)
	name := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(name, text, 0o600))
	f, err := os.Open(name)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	require.NoError(t, a.Store(t.Context(), path, f))
	return a, c
}

func ask(t *testing.T, a *tasklog.Archive, r *doradov1.LogRequest) []*doradov1.LogReply {
	t.Helper()
	r.Path = path
	var replies []*doradov1.LogReply
	require.NoError(t, a.Answer(t.Context(), r, func(r *doradov1.LogReply) error {
		require.True(t, r.GetStored())
		replies = append(replies, r)
		return nil
	}))
	require.True(t, replies[len(replies)-1].GetDone())
	return replies
}

func lines(from int64, limit int32) *doradov1.LogRequest {
	return &doradov1.LogRequest{Want: &doradov1.LogRequest_Lines{Lines: &doradov1.LogLines{From: from, Limit: limit}}}
}

func TestAMillionStoredLinesAreReadOnceAndThenByPages(t *testing.T) {
	t.Parallel()
	const n = 1_000_000
	var text bytes.Buffer
	for i := range n {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	a, c := archive(t, text.Bytes())
	last := ask(t, a, lines(-2, 10))[0]
	require.Equal(t, []string{"line 999998", "line 999999"}, last.GetLines())
	require.EqualValues(t, n, last.GetTotal())
	require.EqualValues(t, text.Len(), last.GetSize())

	c.read.Store(0)
	c.opened.Store(0)
	middle := ask(t, a, lines(500_500, 3))[0]
	require.Equal(t, []string{"line 500500", "line 500501", "line 500502"}, middle.GetLines())
	require.LessOrEqual(t, c.read.Load(), int64(1<<20), "only what is shown is fetched, and a little before it")
	require.EqualValues(t, 1, c.opened.Load())

	hits := ask(t, a, &doradov1.LogRequest{Want: &doradov1.LogRequest_Search{Search: &doradov1.LogSearch{Query: `^line 99999\d$`, Regex: true}}})[0]
	require.Len(t, hits.GetLines(), 10)
	require.EqualValues(t, 999_990, hits.GetNumbers()[0])
}

func TestAStoredLogIsDownloadedInPiecesByOneRequest(t *testing.T) {
	t.Parallel()
	text := make([]byte, 3*tasklog.ChunkSize+17)
	_, _ = rand.Read(text)
	a, c := archive(t, text)
	var got []byte
	for _, r := range ask(t, a, &doradov1.LogRequest{Want: &doradov1.LogRequest_Bytes{Bytes: &doradov1.LogBytes{}}}) {
		require.LessOrEqual(t, len(r.GetData()), tasklog.ChunkSize)
		got = append(got, r.GetData()...)
	}
	require.Equal(t, text, got)
	require.EqualValues(t, 1, c.opened.Load())
}

func TestFollowingAStoredLogGivesTheRestAndEnds(t *testing.T) {
	t.Parallel()
	a, _ := archive(t, []byte(strings.Repeat("x\n", 1200)+"last, without an end"))
	var got []string
	for _, r := range ask(t, a, &doradov1.LogRequest{Want: &doradov1.LogRequest_Follow{Follow: &doradov1.LogFollow{From: 1199}}}) {
		got = append(got, r.GetLines()...)
	}
	require.Equal(t, []string{"x", "last, without an end"}, got)
}

func TestARemovedLogIsGoneAndItsFoldersToo(t *testing.T) {
	t.Parallel()
	a, c := archive(t, []byte("x"))
	require.NoError(t, a.Remove(t.Context(), path, "20261122/7/1/12/346.log", "/etc/passwd"))
	require.ErrorIs(t, a.Answer(t.Context(), &doradov1.LogRequest{Path: path}, func(*doradov1.LogReply) error { return nil }), tasklog.ErrGone)
	for info, err := range c.List(t.Context(), "", true) {
		require.NoError(t, err)
		t.Errorf("%s is left", info.Key)
	}
}

func TestOnlyPathsOfLogsHaveAKey(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		path:                                "logs/20261122/7/1/12/345.log",
		"20261122/7/1/12/345.log":           "logs/20261122/7/1/12/345.log",
		"/20261122/7/1/12/345.log":          "logs/20261122/7/1/12/345.log",
		"7/1/12/345.log":                    "",
		"2026112/7/1/12/345.log":            "",
		"20261122/7/1/../345.log":           "",
		"20261122/7/1/12/345":               "",
		"20261122/7/1/12/.log":              "",
		"20261122/7//12/345.log":            "",
		"logic/12":                          "",
		"":                                  "",
		"/base/20261122/7/1/12/345.log.log": "",
	} {
		got, ok := tasklog.Key(path)
		require.Equal(t, want, got, path)
		require.Equal(t, want != "", ok, path)
	}
}

func TestWithoutAStorageThereIsNoArchive(t *testing.T) {
	t.Parallel()
	require.Nil(t, tasklog.NewArchive(nil))
}
