package executor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/rpc/doradov1"
	"dorado/plugins/catalog"
	"dorado/plugins/storage"
	"dorado/plugins/storage/local"
)

// counted is a storage that counts what is read from it; gate, if there is one, holds reads up.
type counted struct {
	storage.Storage
	gets atomic.Int64
	gate chan struct{}
}

func (c *counted) Get(ctx context.Context, key string, offset int64) (io.ReadCloser, storage.Info, error) {
	c.gets.Add(1)
	if c.gate != nil {
		select {
		case <-c.gate:
		case <-ctx.Done():
			return nil, storage.Info{}, ctx.Err()
		}
	}
	return c.Storage.Get(ctx, key, offset)
}

func newCounted(t *testing.T) *counted {
	t.Helper()
	s, err := local.Open(local.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return &counted{Storage: s}
}

func (c *counted) put(t *testing.T, blob, path, text string) *doradov1.File {
	t.Helper()
	_, err := c.Put(t.Context(), blob, strings.NewReader(text), int64(len(text)))
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(text))
	return &doradov1.File{Path: path, Blob: blob, Size: int64(len(text)), Sha256: hex.EncodeToString(sum[:])}
}

func fileWorker(t *testing.T, s storage.Storage, change func(*Config)) *scripted {
	t.Helper()
	c, err := catalog.Builtin()
	require.NoError(t, err)
	cfg := testConfig(t)
	if change != nil {
		change(&cfg)
	}
	m := newScripted(t, "m")
	startTuned(t, Deps{Config: cfg, Catalog: c, Environ: []string{"PATH=" + cfg.Path}, Logger: slog.New(slog.DiscardHandler), Storage: s}, nil, m)
	return m
}

func TestFilesLieInTheWorkingDirectoryBeforeTheProcessStarts(t *testing.T) {
	t.Parallel()
	s := newCounted(t)
	m := fileWorker(t, s, nil)
	for _, tenant := range tenants(t) {
		job := shellTask("cat lib/data.txt && ./lib/run.sh && stat -c '%U %a' lib/run.sh lib && echo changed > lib/data.txt && ls lib")
		job.Tenant = tenant
		job.Files = []*doradov1.File{s.put(t, "resources/1", "lib/data.txt", "hello\n"), s.put(t, "resources/2", "lib/run.sh", "#!/bin/sh\necho ran\n")}
		r, log := m.run(job)
		require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
		require.Contains(t, log, "hello\nran\n"+nameOf(tenant)+" 755\n"+nameOf(tenant)+" 755\ndata.txt\nrun.sh\n")
	}
	require.EqualValues(t, 2, s.gets.Load(), "a content is fetched once, and what tasks do to their copies stays theirs")
}

// tenants are the worker's own account, and another one where that can be made.
func tenants(t *testing.T) []string {
	t.Helper()
	own := shellTask("").GetTenant()
	if os.Geteuid() != 0 {
		return []string{own}
	}
	return []string{own, osUser(t)}
}

func nameOf(tenant string) string {
	if tenant == self && os.Geteuid() == 0 {
		return "root"
	}
	return tenant
}

func TestFilesReachATenantBySudo(t *testing.T) {
	t.Parallel()
	s := newCounted(t)
	name := osUser(t)
	if _, err := exec.LookPath("sudo"); err != nil {
		t.Skip("needs sudo")
	}
	base, err := os.MkdirTemp("", "dorado-sudo") //nolint:usetesting // others may not enter what lies around t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	require.NoError(t, os.Chmod(base, 0o755))
	m := fileWorker(t, s, func(c *Config) { c.Sudo, c.ExecDir = SudoAlways, filepath.Join(base, "exec") })
	job := shellTask("cat 'a b/数据.txt' && stat -c %U 'a b/数据.txt'")
	job.Tenant = name
	job.Files = []*doradov1.File{s.put(t, "resources/1", "a b/数据.txt", "hello\n")}
	r, log := m.run(job)
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
	require.Contains(t, log, "hello\n"+name+"\n")
}

func TestATaskWhoseFilesCannotBeHadFailsWithTheReason(t *testing.T) {
	t.Parallel()
	s := newCounted(t)
	m := fileWorker(t, s, nil)
	for name, change := range map[string]struct {
		edit func(*doradov1.File)
		want string
	}{
		"is gone":     {func(f *doradov1.File) { f.Blob = "resources/none" }, "cannot fetch data.txt"},
		"was changed": {func(f *doradov1.File) { f.Sha256 = strings.Repeat("0", 64) }, "another content"},
		"was cut":     {func(f *doradov1.File) { f.Size++ }, "another content"},
		"climbs":      {func(f *doradov1.File) { f.Path = "../../data.txt" }, "not a key"},
	} {
		job := shellTask("echo started")
		f := s.put(t, "resources/"+strings.ReplaceAll(name, " ", "-"), "data.txt", "hello\n")
		change.edit(f)
		job.Files = []*doradov1.File{f}
		r, log := m.run(job)
		require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome(), name)
		require.Contains(t, r.GetMessage(), change.want, name)
		require.NotContains(t, log, "\nstarted\n", name)
	}
	job := shellTask("true")
	job.Files = []*doradov1.File{s.put(t, "resources/x", "a", "1"), s.put(t, "resources/y", "a", "2")}
	r, _ := m.run(job)
	require.Contains(t, r.GetMessage(), "two files of the task have this name")

	without := fileWorker(t, nil, nil)
	job = shellTask("true")
	job.Files = []*doradov1.File{{Path: "a", Blob: "resources/x", Size: 1}}
	r, _ = without.run(job)
	require.Contains(t, r.GetMessage(), "this worker has no storage")
}

func TestAnAttemptIsKilledWhileItsFilesAreOnTheWay(t *testing.T) {
	t.Parallel()
	s := newCounted(t)
	s.gate = make(chan struct{})
	m := fileWorker(t, s, nil)
	m.connected()
	job := shellTask("true")
	job.Files = []*doradov1.File{s.put(t, "resources/1", "a", "1")}
	m.dispatch(job)
	require.Eventually(t, func() bool { return s.gets.Load() > 0 }, 20*time.Second, time.Millisecond)
	m.kill(job.GetId())
	r := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, r.GetOutcome())
}

func TestCopiesThatNobodyNeedsGoWhenThereIsNoRoom(t *testing.T) {
	t.Parallel()
	s := newCounted(t)
	f, err := newFiles(s, t.TempDir(), 10, 1<<20)
	require.NoError(t, err)
	one, two := s.put(t, "resources/1", "a", "12345678"), s.put(t, "resources/2", "b", "87654321")
	first, err := f.get(t.Context(), []*doradov1.File{one})
	require.NoError(t, err)
	second, err := f.get(t.Context(), []*doradov1.File{two})
	require.NoError(t, err)
	require.EqualValues(t, 16, f.size, "what is needed stays whatever it takes")
	f.drop(first)
	require.EqualValues(t, 8, f.size)
	require.NoFileExists(t, first[0].path)
	f.drop(second)
	require.EqualValues(t, 8, f.size)
	third, err := f.get(t.Context(), []*doradov1.File{two})
	require.NoError(t, err)
	require.EqualValues(t, 2, s.gets.Load(), "the copy was still there")
	f.drop(third)
}
