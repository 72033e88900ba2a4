package boot

import (
	"context"

	"dorado/modules/engine"
	"dorado/modules/instance"
)

// children starts sub-workflows for the engine, which knows nothing of the modules above it.
type children struct{ instances *instance.Service }

// StartChild implements engine.Children.
func (c children) StartChild(ctx context.Context, r engine.ChildRequest) (int64, error) {
	return c.instances.StartChild(ctx, instance.ChildRequest(r))
}

// follow lets the modules that start runs and the engine hear of each other.
func follow(eng *engine.Engine, m *modules) {
	eng.SetChildren(children{m.instance.Service})
	m.instance.Wake = eng.Nudge
	eng.OnEnd(func(e engine.Ended) { m.backfill.Ended(e.Param) })
}
