package resource

import (
	"context"
	"time"

	"dorado/plugins/storage"
)

const (
	sweepEvery = 10 * time.Minute
	// grace is how long a blob that no row names is kept: for whoever reads it, and for whoever still writes it.
	grace = 24 * time.Hour
	// maxUpload is how long an upload may take: far less than grace, so that nobody deletes what becomes a file.
	maxUpload  = grace / 2
	sweepBatch = 500
)

// Run removes blobs that nobody needs, until ctx ends. Any number of processes may do it at once.
func (s *Service) Run(ctx context.Context) error {
	if s.Storage == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "contents of deleted files stay for now", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Sweep removes contents that nobody has needed for a day, and uploads to which nothing was added for as long.
func (s *Service) Sweep(ctx context.Context) error {
	if err := s.expireUploads(ctx); err != nil {
		return err
	}
	for {
		blobs, err := s.store.garbage(ctx, s.Now().Add(-grace), sweepBatch)
		if err != nil || len(blobs) == 0 {
			return err
		}
		for _, blob := range blobs {
			if err := s.Storage.Delete(ctx, blob); err != nil {
				return err
			}
			if _, err := s.store.pardon(ctx, blob, time.Time{}); err != nil {
				return err
			}
		}
		if err := storage.Prune(ctx, s.Storage, blobFolder); err != nil {
			return err
		}
	}
}
