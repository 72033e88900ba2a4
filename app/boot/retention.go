package boot

import (
	"context"
	"time"

	"dorado/modules/audit"
	"dorado/modules/keep"
	"dorado/modules/schedule"
)

// retentionLock is held by the process that removes what is too old.
const retentionLock = "master-retention"

// newRetention returns what removes old rows, and its page.
func newRetention(c *core, m *modules, log *audit.Service) *keep.Module {
	return keep.NewModule(keep.PageDeps{
		Retention: keep.NewRetention(keep.RetentionDeps{
			DB: c.db, Instances: m.instance.Service, Audit: log, Metrics: c.metrics, Logger: c.logger, Now: time.Now, Config: c.cfg.Retention,
		}),
		Access: m.access, Site: m.site, Frame: m.frame,
	})
}

// clockAfterRestore runs the clock, on restored rows from now on: it makes up for nothing that was due since the backup.
func clockAfterRestore(c *core, clock *schedule.Clock) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			err := keep.Started(ctx, c.db, time.Now)
			if err == nil {
				return clock.Run(ctx)
			}
			c.logger.WarnContext(ctx, "schedules wait for the database", "error", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(electionPause):
			}
		}
	}
}
