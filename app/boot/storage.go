package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"dorado/app/config"
	"dorado/modules/tasklog"
	"dorado/plugins/catalog"
	"dorado/plugins/storage"
)

// storageCheck is how long the start waits for the storage.
const storageCheck = 15 * time.Second

// openStorage returns the configured storage, nil when there is none. One that refuses us is an error; one that is away may
// come back, and nothing but old logs needs it.
func openStorage(ctx context.Context, cfg config.Config, logger *slog.Logger) (storage.Storage, error) {
	s, err := catalog.OpenStorage(cfg.Storage)
	if err != nil || s == nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, storageCheck)
	defer cancel()
	err = s.Check(ctx)
	if errors.Is(err, storage.ErrAway) || errors.Is(err, context.DeadlineExceeded) {
		logger.WarnContext(ctx, "the storage does not answer; logs are stored when it does", "error", err)
		return s, nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the storage cannot be used: %w", err), s.Close())
	}
	return s, nil
}

// storedLogs are the logs in a storage, which may be nil.
func storedLogs(s storage.Storage) *tasklog.Archive { return tasklog.NewArchive(s) }

// closeStorage closes a storage, which may be nil.
func closeStorage(s storage.Storage) error {
	if s == nil {
		return nil
	}
	return s.Close()
}
