package boot

import (
	"context"
	"strings"

	"dorado/app/kit/lifecycle"
	"dorado/app/kit/trace"
	"dorado/modules/engine"
	"dorado/modules/monitor"
)

// tracing tells a collector of every run of this master that ends, and tasks of the trace they belong to. Without a collector
// it does nothing at all.
func (c *core) tracing(ctx context.Context, eng *engine.Engine, m *modules) ([]lifecycle.Service, error) {
	if !c.cfg.Trace.On() {
		return nil, nil
	}
	cluster, err := clusterID(ctx, c.db)
	if err != nil {
		return nil, err
	}
	ids := trace.IDs{Salt: cluster}
	out := trace.New(c.cfg.Trace, "dorado", []trace.Attr{
		{Key: "service.version", Value: Version}, {Key: "service.instance.id", Value: c.cfg.Master.Name}, {Key: "dorado.cluster", Value: cluster},
	}, c.logger, c.metrics)
	tracer := monitor.NewTracer(c.db, ids, c.cfg.Master.Name, out, c.logger)
	eng.SetTraceParent(func(instance int64, runTimes int, attempt int64) string {
		return monitor.Parent(ids, instance, runTimes, attempt)
	})
	eng.OnEnd(func(e engine.Ended) { tracer.Ended(e.InstanceID) })
	m.instance.Trace = func(id int64, runTimes int) (name, url string) {
		name = monitor.RunTrace(ids, id, runTimes).String()
		if c.cfg.Trace.Link != "" {
			url = strings.ReplaceAll(c.cfg.Trace.Link, "{trace}", name)
		}
		return name, url
	}
	return []lifecycle.Service{{Name: "trace exporter", Run: out.Run}, {Name: "tracer", Run: tracer.Run}}, nil
}
