package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"dorado/app/config"
	"dorado/app/kit/db"
	"dorado/modules/keep"
	"dorado/modules/keep/archive"
)

// BackupOptions say what Backup writes, and where.
type BackupOptions struct {
	Out         string // a file that does not exist yet, or "-" for the standard output
	Passphrase  string
	WithoutLogs bool
	Logs        []string // log folders of workers, besides the configured one
}

// RestoreOptions say what Restore reads, and what becomes of it.
type RestoreOptions struct {
	In               string // a file, or "-" for the standard input
	Passphrase       string
	MaxUnpacked      int64
	WithoutLogs      bool
	LogWorker        string // the worker that shows restored logs
	Resume           bool
	CatchUp          bool
	SchedulesOffline bool
	WithoutSecrets   bool // restore although the key for the secrets of the backup is lost
}

// Terminal is where commands talk to whoever typed them.
type Terminal struct {
	In       io.Reader
	Out      io.Writer // results
	Progress io.Writer // what happens meanwhile
}

// Backup writes a backup of the configured installation, which may be at work.
func Backup(ctx context.Context, cfg config.Config, logger *slog.Logger, o BackupOptions, t Terminal) (err error) {
	d, err := existing(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	out, finish, err := backupFile(o.Out, t.Out)
	if err != nil {
		return err
	}
	deps := keep.BackupDeps{
		DB: d, Out: out, Passphrase: o.Passphrase, Program: Version, Commit: Commit(), Now: time.Now,
		Progress: progress(t.Progress),
	}
	unread := 0
	unreadable := func(path string, err error) {
		unread++
		fmt.Fprintf(t.Progress, "left out: %s: %v\n", path, err)
	}
	if !o.WithoutLogs {
		deps.Files = append(deps.Files, keep.Folder{Of: keep.KindLogs, Path: cfg.Worker.LogDir, Unreadable: unreadable})
		for _, dir := range o.Logs {
			if _, err := os.Stat(dir); err != nil {
				return errors.Join(fmt.Errorf("--logs: %w", err), finish(err))
			}
			deps.Files = append(deps.Files, keep.Folder{Of: keep.KindLogs, Path: dir, Unreadable: unreadable})
		}
	}
	files, err := filesAlone(ctx, cfg, logger)
	if err != nil {
		return errors.Join(err, finish(err))
	}
	defer func() { err = errors.Join(err, closeStorage(files)) }()
	if files != nil {
		deps.Files = append(deps.Files, storedContents{files, unreadable})
	}
	h, m, err := keep.Backup(ctx, deps)
	if err := finish(err); err != nil {
		return err
	}
	fmt.Fprintf(t.Progress, "%s\n", summary(h, m))
	if m.Rows["setting"] > 0 {
		if keys, err := keep.SealedWith(ctx, d); err == nil && keys != "" {
			fmt.Fprintf(t.Progress, "secrets in it are sealed with key %s, which is not in the backup: keep a copy of %s somewhere else\n", keys, keyPlace(cfg))
		}
	}
	if unread > 0 {
		return fmt.Errorf("the backup is complete but for %d files that could not be read", unread)
	}
	return nil
}

// existing opens the configured database as it is: it is neither made nor migrated.
func existing(ctx context.Context, cfg config.Config, logger *slog.Logger) (*db.DB, error) {
	if url := cfg.DatabaseURL(); !db.IsPostgres(url) {
		if _, err := os.Stat(strings.TrimPrefix(url, "sqlite:")); err != nil {
			return nil, fmt.Errorf("there is no database: %w", err)
		}
	}
	return db.Open(ctx, db.Config{URL: cfg.DatabaseURL()}, logger)
}

// backupFile opens what a backup is written to. A file gets its name when it is complete, so that no broken backup is
// taken for a good one; finish takes the error so far and returns the last one.
func backupFile(name string, stdout io.Writer) (io.Writer, func(error) error, error) {
	if name == "-" {
		return stdout, func(err error) error { return err }, nil
	}
	if _, err := os.Lstat(name); err == nil {
		return nil, nil, fmt.Errorf("%s exists; backups never overwrite", name)
	}
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, nil, fmt.Errorf("%s exists: another backup is being written, or broke off and left it; remove it in the latter case", part)
	}
	if err != nil {
		return nil, nil, err
	}
	return f, func(err error) error {
		if err == nil {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close())
		if err == nil {
			err = os.Rename(part, name)
		}
		if err != nil {
			return errors.Join(err, os.Remove(part))
		}
		return syncFolder(filepath.Dir(name))
	}, nil
}

// syncFolder makes a new name in a folder survive a crash.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// progress says once a second how far it is.
func progress(w io.Writer) keep.Progress {
	var last time.Time
	return func(what string, done int64) {
		if now := time.Now(); done > 0 && now.Sub(last) >= time.Second {
			last = now
			fmt.Fprintf(w, "%s: %d\n", what, done)
		}
	}
}

func summary(h archive.Header, m archive.Manifest) string {
	return fmt.Sprintf("backup of %s UTC by dorado %s, schema version %d, from %s: %d rows in %d tables, %d files of %d bytes",
		h.CreatedAt.UTC().Format(time.DateTime), h.Program, h.Schema, h.Dialect, m.AllRows(), len(h.Tables), m.Files, m.FileBytes)
}

// VerifyBackup reads a whole backup and says what is in it.
func VerifyBackup(ctx context.Context, name, passphrase string, maxUnpacked int64, t Terminal) error {
	in := t.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	h, m, err := keep.Verify(ctx, in, archive.Options{Passphrase: passphrase, MaxUnpacked: maxUnpacked}, progress(t.Progress))
	if err != nil {
		return err
	}
	fmt.Fprintln(t.Out, summary(h, m))
	for _, table := range h.Tables {
		fmt.Fprintf(t.Out, "%-26s %d\n", table.Name, m.Rows[table.Name])
	}
	return nil
}

// Restore reads a backup into the configured database, which must be empty, and its files into the data folder.
func Restore(ctx context.Context, cfg config.Config, logger *slog.Logger, o RestoreOptions, t Terminal) (err error) {
	lock, err := lockData(cfg.Data, nil)
	if err != nil {
		return err
	}
	defer lock.Close()
	in, err := rereadable(o.In, cfg.Data, t.In)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	d, err := db.Open(ctx, db.Config{URL: cfg.DatabaseURL()}, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	targets := map[string]keep.Target{}
	files, err := filesAlone(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStorage(files)) }()
	if files != nil {
		targets[keep.KindResources] = intoStorage{files}
	} else {
		fmt.Fprintln(t.Progress, "contents of files of the resource center are passed over: no storage is configured (storage.type)")
	}
	folders := map[string]string{}
	if !o.WithoutLogs {
		folders[keep.KindLogs] = cfg.Worker.LogDir
	}
	var opened []*keep.Into
	for kind, dir := range folders {
		into := keep.NewInto(dir)
		opened = append(opened, into)
		targets[kind] = into
	}
	defer func() {
		for _, into := range opened {
			err = errors.Join(err, into.Close())
		}
	}()
	sealer, err := presentSealer(cfg)
	if err != nil {
		return err
	}
	done, err := keep.Restore(ctx, keep.RestoreDeps{
		DB: d, In: in, Passphrase: o.Passphrase, MaxUnpacked: o.MaxUnpacked, Targets: targets, LogWorker: o.LogWorker,
		Resume: o.Resume, CatchUp: o.CatchUp, SchedulesOffline: o.SchedulesOffline,
		Sealer: sealer, WithoutSecrets: o.WithoutSecrets, Sealed: sealedColumns(),
		Program: Version, Now: time.Now, Progress: progress(t.Progress),
		Fits: func(_ archive.Header, m archive.Manifest) error { return fits(cfg, m) },
	})
	if errors.Is(err, keep.ErrOtherKey) {
		return fmt.Errorf("%w: bring the key file of the installation that the backup is of to %s, or name it with --set secret.key-file=FILE; "+
			"--without-secrets restores all but the secrets", err, cfg.Secret.KeyFile)
	}
	if err != nil {
		return err
	}
	s := done.Settled
	fmt.Fprintf(t.Out, "restored: %s\n", summary(done.Header, done.Manifest))
	if o.Resume {
		fmt.Fprintln(t.Out, "runs that were under way go on when a master starts")
	} else {
		fmt.Fprintf(t.Out, "%d runs and %d tasks that were under way have ended; %d requests dropped; %d approvals cancelled; %d backfills paused\n",
			s.Runs, s.Attempts, s.Commands, s.Approvals, s.Backfills)
	}
	if o.SchedulesOffline {
		fmt.Fprintf(t.Out, "%d schedules are offline\n", s.Schedules)
	}
	if s.Secrets > 0 {
		fmt.Fprintf(t.Out, "%d secrets are empty and have to be entered again\n", s.Secrets)
	}
	fmt.Fprintf(t.Out, "%d files written; %d alerts that waited will not be sent\n", s.Files, s.Alerts)
	return nil
}

// rereadable is a backup that can be read twice; what comes through a pipe is kept in the data folder meanwhile.
func rereadable(name, data string, stdin io.Reader) (*os.File, error) {
	if name != "-" {
		return os.Open(name)
	}
	f, err := os.CreateTemp(data, "restore-*.part")
	if err != nil {
		return nil, fmt.Errorf("keep the backup for reading it twice: %w", err)
	}
	err = os.Remove(f.Name()) // it goes with this process
	if err == nil {
		_, err = io.Copy(f, stdin)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keep the backup for reading it twice: %w", err), f.Close())
	}
	return f, nil
}

// fits says whether the data folder has room for what a backup holds.
func fits(cfg config.Config, m archive.Manifest) error {
	need := m.FileBytes
	if !db.IsPostgres(cfg.DatabaseURL()) {
		need += 3 * (m.Bytes - m.FileBytes) // rows, indexes, and the log of the one transaction
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(cfg.Data, &st); err != nil {
		return nil //nolint:nilerr // not knowing is no reason to refuse
	}
	if free := int64(st.Bavail) * st.Bsize; free < need {
		return fmt.Errorf("%s has %d bytes free; what the backup holds needs about %d", cfg.Data, free, need)
	}
	return nil
}
