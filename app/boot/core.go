package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dorado/app/config"
	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/logs"
	"dorado/app/kit/metrics"
	"dorado/app/kit/secret"
	"dorado/app/kit/vault"
	"dorado/migrations"
	"dorado/modules/cluster"
	"dorado/plugins/storage"
)

// ErrDataInUse says that another process works on the data folder.
var ErrDataInUse = errors.New("the data folder is in use by another process")

// NewLogger returns the service log.
func NewLogger(cfg config.Config, w io.Writer) (*slog.Logger, error) {
	return logs.New(w, logs.Config{Level: cfg.Log.Level, Format: cfg.Log.Format})
}

// core is what every mode with a database stands on.
type core struct {
	cfg         config.Config
	logger      *slog.Logger
	db          *db.DB
	metrics     *metrics.Registry
	probes      *probes
	registry    cluster.Registry // of this process alone when there is only one master
	incarnation string           // of this process
	storage     storage.Storage  // nil: there is none
	files       storage.Storage  // where files of the resource center are; nil: nowhere
	sealer      *secret.Sealer   // of secrets in the database
	vault       *vault.Client    // secrets that are elsewhere; nil: there is none
	lock        *os.File
}

// open locks the data folder, opens the database and brings its schema up to date.
func open(ctx context.Context, cfg config.Config, logger *slog.Logger) (*core, error) {
	lock, err := lockData(cfg.Data, nil)
	if err != nil {
		return nil, err
	}
	files, err := openStorage(ctx, cfg, logger)
	if err != nil {
		lock.Close()
		return nil, err
	}
	d, err := OpenDatabase(ctx, cfg, logger)
	if err != nil {
		lock.Close()
		return nil, errors.Join(err, closeStorage(files))
	}
	sealer, err := openSealer(ctx, cfg, d)
	if err != nil {
		lock.Close()
		return nil, errors.Join(err, d.Close(), closeStorage(files))
	}
	outside, err := vault.New(cfg.Vault, time.Now)
	if err != nil {
		lock.Close()
		return nil, errors.Join(err, d.Close(), closeStorage(files))
	}
	own, err := openFiles(cfg, files, logger)
	if err != nil {
		lock.Close()
		return nil, errors.Join(err, d.Close(), closeStorage(files))
	}
	c := &core{files: own, sealer: sealer, vault: outside, cfg: cfg, logger: logger, db: d, storage: files, metrics: metrics.New(), probes: &probes{}, incarnation: ids.Token()[:16], lock: lock}
	c.probes.add("database", c.databaseCheck)
	return c, nil
}

func (c *core) close() error {
	c.vault.Close()
	return errors.Join(c.db.Close(), c.closeFiles(), closeStorage(c.storage), c.lock.Close())
}

// OpenDatabase opens the configured database and migrates it.
func OpenDatabase(ctx context.Context, cfg config.Config, logger *slog.Logger) (*db.DB, error) {
	if err := os.MkdirAll(cfg.Data, 0o711); err != nil {
		return nil, fmt.Errorf("create the data folder: %w", err)
	}
	d, err := db.Open(ctx, db.Config{URL: cfg.DatabaseURL()}, logger)
	if err != nil {
		return nil, err
	}
	applied, err := migrations.Up(ctx, d.SQLX().DB, d.Dialect().Name())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bring the database up to date: %w", err), d.Close())
	}
	if len(applied) > 0 {
		logger.InfoContext(ctx, "database migrated", "steps", len(applied))
	}
	return d, nil
}

// lockData takes the data folder for this process until the file is closed or the process ends. held is the lock when this
// process has it from the program before.
func lockData(dir string, held *os.File) (*os.File, error) {
	if held != nil {
		return held, takeLock(dir, held)
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("create the data folder: %w", err)
	}
	path := filepath.Join(dir, "dorado.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := takeLock(dir, f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func takeLock(dir string, f *os.File) error {
	// A record lock, not flock: a child that is between fork and exec when this process is killed would keep a flock a
	// moment longer, and the next start would be refused.
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK}); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
			return fmt.Errorf("%w: %s (process %s); stop it, or choose another folder with --data", ErrDataInUse, dir, strings.TrimSpace(string(holder)))
		}
		return fmt.Errorf("lock the data folder: %w", err)
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		return fmt.Errorf("lock the data folder: %w", err)
	}
	return nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}
