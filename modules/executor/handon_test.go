package executor

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/storage"
)

// giving is a shell task that hands files on: name and path by turns.
func giving(script string, files ...string) *doradov1.Task {
	var params []map[string]any
	for i := 0; i < len(files); i += 2 {
		params = append(params, map[string]any{"prop": files[i], "direct": "OUT", "type": "FILE", "value": files[i+1]})
	}
	t := newTask("SHELL", map[string]any{"rawScript": script, "localParams": params})
	t.Name, t.WorkflowCode, t.WorkflowVersion, t.FirstSubmitMs = "make it", 70, 3, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMilli()
	return t
}

// taking is a shell task that gets what another one handed on.
func taking(script string, r *doradov1.Report, at map[string]string) *doradov1.Task {
	t := newTask("SHELL", map[string]any{"rawScript": script})
	for _, p := range r.GetVarPool() {
		if to, wanted := at[p.GetName()]; wanted {
			t.Files = append(t.Files, &doradov1.File{
				Path: to, Blob: p.GetValue(), Size: p.GetSize(), Sha256: p.GetSha256(), Unpack: strings.HasSuffix(p.GetValue(), flow.PackSuffix),
			})
		}
	}
	return t
}

func stored(t *testing.T, s storage.Storage, key string) []byte {
	t.Helper()
	r, _, err := s.Get(t.Context(), key, 0)
	require.NoError(t, err)
	raw, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return raw
}

const makeBoth = `mkdir -p out/deep/empty && printf 'hello\n' > result.txt && printf '1,2\n' > out/a.csv && printf '#!/bin/sh\necho ran\n' > out/deep/run.sh &&
chmod 755 out/deep/run.sh && chmod 600 result.txt out/a.csv && dd if=/dev/zero of=out/big bs=1M count=3 2>/dev/null`

func TestFilesAndFoldersGoFromOneTaskToTheNext(t *testing.T) {
	t.Parallel()
	for name, sudo := range map[string]SudoMode{"directly": SudoAuto, "by sudo": SudoAlways} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			users := tenants(t)
			base, err := os.MkdirTemp("", "dorado-files") //nolint:usetesting // others may not enter what lies around t.TempDir
			require.NoError(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(base) })
			require.NoError(t, os.Chmod(base, 0o755))
			if sudo == SudoAlways {
				users = []string{osUser(t)}
				if _, err := exec.LookPath("sudo"); err != nil {
					t.Skip("needs sudo")
				}
			}
			s := newCounted(t)
			m := fileWorker(t, s, func(c *Config) { c.Sudo, c.ExecDir = sudo, filepath.Join(base, "exec") })
			for _, tenant := range users {
				job := giving(makeBoth, "text", "./result.txt", "all", "out/")
				job.Tenant = tenant
				r, log := m.run(job)
				require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), r.GetMessage()+log)
				require.Len(t, r.GetVarPool(), 2)
				text, all := r.GetVarPool()[0], r.GetVarPool()[1]
				folder := fmt.Sprintf("DATA_TRANSFER/20260102/70/3_%d/", job.GetWorkflowInstanceId())
				require.Equal(t, "make it.text", text.GetName())
				require.Equal(t, folder+fmt.Sprintf("make_it_%d_result.txt", job.GetId()), text.GetValue())
				require.Equal(t, "FILE", text.GetType())
				require.EqualValues(t, 6, text.GetSize())
				sum := sha256.Sum256([]byte("hello\n"))
				require.Equal(t, hex.EncodeToString(sum[:]), text.GetSha256())
				require.Equal(t, "hello\n", string(stored(t, s, text.GetValue())))
				require.Equal(t, "363a3020\nsha256 "+text.GetSha256()+"\n", string(stored(t, s, text.GetValue()+".crc")))
				require.Equal(t, folder+fmt.Sprintf("make_it_%d_out_ds_pack.zip", job.GetId()), all.GetValue())
				require.Contains(t, log, "handed on out as "+all.GetValue())

				next := taking(`cat in/text.txt data/a.csv && ./data/deep/run.sh && stat -c %U data data/a.csv && stat -c %s data/big && ls data/deep`,
					r, map[string]string{"make it.text": "in/text.txt", "make it.all": "data"})
				next.Tenant = tenant
				got, log := m.run(next)
				require.Equal(t, doradov1.Outcome_SUCCEEDED, got.GetOutcome(), got.GetMessage()+log)
				require.Contains(t, log, "hello\n1,2\nran\n"+nameOf(tenant)+"\n"+nameOf(tenant)+"\n3145728\nempty\nrun.sh\n")
			}
		})
	}
}

func TestTheSameFolderIsTheSameFile(t *testing.T) {
	t.Parallel()
	m := fileWorker(t, newCounted(t), nil)
	sum := func(script string) string {
		r, log := m.run(giving(script, "all", "out"))
		require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
		return r.GetVarPool()[0].GetSha256()
	}
	first := sum("mkdir out && echo 1 > out/a && echo 2 > out/b")
	require.Equal(t, first, sum("mkdir out && echo 2 > out/b && echo 1 > out/a && touch -d 2001-01-01 out/a"))
	require.NotEqual(t, first, sum("mkdir out && echo 1 > out/a && echo 3 > out/b"))
}

func TestTwoFilesOfOneNameAreTwoFiles(t *testing.T) {
	t.Parallel()
	s := newCounted(t)
	r, _ := fileWorker(t, s, nil).run(giving("mkdir a b && echo 1 > a/x && echo 2 > b/x", "one", "a/x", "two", "b/x"))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome())
	require.Equal(t, "1\n", string(stored(t, s, r.GetVarPool()[0].GetValue())))
	require.Equal(t, "2\n", string(stored(t, s, r.GetVarPool()[1].GetValue())))
}

func TestOnlyWhatTheTenantHasInItsDirectoryIsHandedOn(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	for name, c := range map[string]struct{ script, path, want string }{
		"nothing there":         {"true", "none", "no such file"},
		"climbs":                {"echo '#{setValue(f=../../secret)}'", "x", "no path below the working directory"},
		"absolute":              {"echo '#{setValue(f=/etc/passwd)}'", "x", "no path below the working directory"},
		"everything":            {"echo '#{setValue(f=.)}'", "x", "no path below the working directory"},
		"a link":                {"ln -s " + secret + " x", "x", "symbolic link"},
		"a link on the way":     {"ln -s / x", "x/etc/passwd", "link"},
		"a link below":          {"mkdir x && ln -s " + secret + " x/y", "x", `\"y\": it is a symbolic link`},
		"a pipe":                {"mkfifo x", "x", "neither a file nor a folder"},
		"a pipe below":          {"mkdir x && mkfifo x/y", "x", "neither a file nor a folder"},
		"too large":             {"dd if=/dev/zero of=x bs=1M count=9 2>/dev/null", "x", "larger than 8388608 bytes"},
		"too large when packed": {"mkdir x && dd if=/dev/urandom of=x/y bs=1M count=9 2>/dev/null", "x", "larger than 8388608 bytes"},
		"a name that cannot be": {"mkdir x && touch \"$(printf 'x/a\\nb')\"", "x", "cannot be a name"},
	} {
		for mode, sudo := range map[string]SudoMode{"": SudoAuto, " by sudo": SudoAlways} {
			t.Run(name+mode, func(t *testing.T) {
				t.Parallel()
				base, err := os.MkdirTemp("", "dorado-files") //nolint:usetesting // others may not enter what lies around t.TempDir
				require.NoError(t, err)
				t.Cleanup(func() { _ = os.RemoveAll(base) })
				require.NoError(t, os.Chmod(base, 0o755))
				s := newCounted(t)
				m := fileWorker(t, s, func(cfg *Config) { cfg.MaxTransfer, cfg.Sudo, cfg.ExecDir = 8<<20, sudo, filepath.Join(base, "exec") })
				job := giving(c.script, "f", c.path)
				if job.Tenant = osUser(t); sudo == SudoAlways {
					if _, err := exec.LookPath("sudo"); err != nil {
						t.Skip("needs sudo")
					}
				}
				r, log := m.run(job)
				require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome(), log)
				require.Contains(t, strings.ReplaceAll(r.GetMessage(), `"`, `\"`), c.want)
				for info, err := range s.List(t.Context(), "", true) {
					require.NoError(t, err)
					require.True(t, info.Dir(), "%s was stored", info.Key)
				}
			})
		}
	}
}

func TestWhatBelongsToSomebodyElseIsNotHandedOn(t *testing.T) {
	t.Parallel()
	mine := account{uid: 1000, gid: 100, groups: []uint32{200}}
	for _, c := range []struct {
		uid, gid uint32
		mode     fs.FileMode
		may      bool
	}{
		{1000, 0, 0o600, true}, {0, 0, 0o600, false}, {0, 0, 0o640, false}, {0, 200, 0o640, true}, {0, 200, 0o600, false}, {0, 100, 0o040, true}, {0, 0, 0o644, true},
	} {
		err := takeable(statInfo{c.mode, &syscall.Stat_t{Uid: c.uid, Gid: c.gid, Mode: uint32(c.mode)}}, mine)
		require.Equal(t, c.may, err == nil, "%+v", c)
	}
	require.ErrorIs(t, takeable(statInfo{fs.ModeSocket, nil}, mine), errFileKind)
}

// statInfo is a file as far as its owner and mode go.
type statInfo struct {
	mode fs.FileMode
	st   *syscall.Stat_t
}

func (i statInfo) Name() string       { return "x" }
func (i statInfo) Size() int64        { return 0 }
func (i statInfo) Mode() fs.FileMode  { return i.mode }
func (i statInfo) ModTime() time.Time { return time.Time{} }
func (i statInfo) IsDir() bool        { return i.mode.IsDir() }
func (i statInfo) Sys() any           { return i.st }

func TestArchivesOfStrangersDoNoHarm(t *testing.T) {
	t.Parallel()
	s := newCounted(t)
	m := fileWorker(t, s, func(c *Config) { c.MaxTransfer = 1 << 20 })
	link := &zip.FileHeader{Name: "x"}
	link.SetMode(fs.ModeSymlink | 0o777)
	for name, c := range map[string]struct {
		entries []*zip.FileHeader
		text    string
		want    string
	}{
		"climbs":     {[]*zip.FileHeader{{Name: "../x"}}, "x", "no name of a file below a folder"},
		"absolute":   {[]*zip.FileHeader{{Name: "/tmp/x"}}, "x", "no name of a file below a folder"},
		"backslash":  {[]*zip.FileHeader{{Name: `..\x`}}, "x", "no name of a file below a folder"},
		"link":       {[]*zip.FileHeader{link}, "/etc/passwd", "neither a file nor a folder"},
		"bomb":       {[]*zip.FileHeader{{Name: "x", Method: zip.Deflate}}, strings.Repeat("0", 2<<20), "unpacked it is larger than 1048576"},
		"many bombs": {[]*zip.FileHeader{{Name: "x", Method: zip.Deflate}, {Name: "y", Method: zip.Deflate}}, strings.Repeat("0", 700<<10), "unpacked it is larger than 1048576"},
		"twice":      {[]*zip.FileHeader{{Name: "x"}, {Name: "x"}}, "1", "two files of the task have this name"},
	} {
		var raw bytes.Buffer
		w := zip.NewWriter(&raw)
		for _, h := range c.entries {
			into, err := w.CreateHeader(h)
			require.NoError(t, err)
			_, err = io.WriteString(into, c.text)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		job := shellTask("echo started")
		f := s.put(t, "DATA_TRANSFER/"+strings.ReplaceAll(name, " ", "-")+flow.PackSuffix, "data", raw.String())
		f.Unpack = true
		job.Files = []*doradov1.File{f}
		r, log := m.run(job)
		require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome(), name)
		require.Contains(t, r.GetMessage(), c.want, name)
		require.NotContains(t, log, "\nstarted\n", name)
	}
	job := shellTask("echo started")
	f := s.put(t, "DATA_TRANSFER/none"+flow.PackSuffix, "data", "no archive")
	f.Unpack = true
	job.Files = []*doradov1.File{f}
	r, _ := m.run(job)
	require.Contains(t, r.GetMessage(), "it is no zip archive")
	require.NoFileExists(t, "/tmp/x")
}

func TestASizeThatAnArchiveLiesAboutIsFound(t *testing.T) {
	t.Parallel()
	_, err := io.ReadAll(&exactly{strings.NewReader("12345"), 4})
	require.ErrorIs(t, err, errAnnounced)
	_, err = io.ReadAll(&exactly{strings.NewReader("123"), 4})
	require.ErrorIs(t, err, errAnnounced)
	raw, err := io.ReadAll(&exactly{strings.NewReader("1234"), 4})
	require.NoError(t, err)
	require.Equal(t, "1234", string(raw))
}

// stuck is a storage that takes nothing.
type stuck struct {
	*counted
	began chan struct{}
}

func (s *stuck) Put(ctx context.Context, _ string, _ io.Reader, _ int64) (storage.Info, error) {
	close(s.began)
	<-ctx.Done()
	return storage.Info{}, ctx.Err()
}

func TestAnAttemptIsKilledWhileItsFilesAreStored(t *testing.T) {
	t.Parallel()
	s := &stuck{newCounted(t), make(chan struct{})}
	m := fileWorker(t, s, nil)
	m.connected()
	job := giving("echo 1 > x", "f", "x")
	m.dispatch(job)
	<-s.began
	m.kill(job.GetId())
	r := m.finished(job.GetId())
	require.Equal(t, doradov1.Outcome_KILLED, r.GetOutcome())
	require.Contains(t, r.GetMessage(), "while its files were stored")
}

// flaky is a storage that is away for the first few contents.
type flaky struct {
	*counted
	away int
}

func (f *flaky) Put(ctx context.Context, key string, r io.Reader, size int64) (storage.Info, error) {
	if f.away--; f.away >= 0 {
		return storage.Info{}, storage.ErrAway
	}
	return f.counted.Put(ctx, key, r, size)
}

func TestAStorageThatIsAwayForAMomentIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := &flaky{newCounted(t), 1}
	r, log := fileWorker(t, s, nil).run(giving("echo 1 > x", "f", "x"))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
	require.Equal(t, "1\n", string(stored(t, s, r.GetVarPool()[0].GetValue())))
}

func TestWithoutAStorageATaskThatHandsFilesOnDoesNotStart(t *testing.T) {
	t.Parallel()
	r, log := fileWorker(t, nil, nil).run(giving("echo started", "f", "x"))
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Contains(t, r.GetMessage(), "this worker has no storage")
	require.NotContains(t, log, "\nstarted\n")
}

func TestAPrintedValueNamesTheFile(t *testing.T) {
	t.Parallel()
	s := newCounted(t)
	r, log := fileWorker(t, s, nil).run(giving("echo 1 > y; echo '#{setValue(f=y)}'", "f", "x"))
	require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), log)
	require.Equal(t, "1\n", string(stored(t, s, r.GetVarPool()[0].GetValue())))
}

func TestAFailedTaskHandsNothingOn(t *testing.T) {
	t.Parallel()
	s := newCounted(t)
	r, _ := fileWorker(t, s, nil).run(giving("echo 1 > x; exit 1", "f", "x"))
	require.Equal(t, doradov1.Outcome_FAILED, r.GetOutcome())
	require.Empty(t, r.GetVarPool())
	for info, err := range s.List(t.Context(), "", true) {
		require.NoError(t, err)
		require.Fail(t, "stored", info.Key)
	}
}
