package boot

import (
	"context"
	"log/slog"
	"time"

	"dorado/app/kit/lifecycle"
	"dorado/modules/cluster"
	"dorado/modules/cluster/pg"
	"dorado/modules/engine"
)

// relayService tells the registry in the database of the workers that are connected to this master: a worker never opens
// the database, so masters speak for it. It stands as long as one master hears of it.
func relayService(registry *pg.Registry, eng *engine.Engine, logger *slog.Logger) lifecycle.Service {
	return lifecycle.Service{Name: "workers of the registry", Run: func(ctx context.Context) error {
		every := registry.SessionTimeout() / 4
		again := time.NewTicker(every)
		defer again.Stop()
		failed := false
		for {
			beats := map[string]cluster.Heartbeat{}
			for _, w := range eng.Workers() {
				if time.Since(w.SeenAt) < 2*every { // a stream may stand for long after its other end fell silent
					n := workerNode(w)
					beats[n.Address] = n.Heartbeat
				}
			}
			ask, cancel := context.WithTimeout(ctx, 2*every)
			err := registry.Relay(ask, cluster.Worker, beats)
			cancel()
			if (err != nil) != failed && ctx.Err() == nil {
				failed = err != nil
				if failed {
					logger.WarnContext(ctx, "the registry was not told of workers; tried again", "error", err)
				}
			}
			select {
			case <-again.C:
			case <-ctx.Done():
				return nil
			}
		}
	}}
}
