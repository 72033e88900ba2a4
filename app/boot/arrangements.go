package boot

import (
	"dorado/app/kit/ids"
	"dorado/modules/audit"
	"dorado/modules/engine"
	"dorado/modules/security/alertgroup"
	"dorado/modules/security/calendar"
	"dorado/modules/security/environment"
	"dorado/modules/security/workergroup"
)

// arrangements builds what administrators arrange for runs: who may run them, with what, and when.
func (m *modules) arrangements(c *core, eng *engine.Engine, log *audit.Service, codes *ids.Generator) {
	m.groups = workergroup.New(workergroup.Deps{
		DB: c.db, Access: m.access, Audit: log, Site: m.site, API: m.api, Frame: m.frame, Live: func() []workergroup.Worker { return liveWorkers(eng) },
	})
	m.envs = environment.New(environment.Deps{
		DB: c.db, Access: m.access, Audit: log, Groups: m.groups.Service, Codes: codes, Site: m.site, API: m.api, Frame: m.frame,
	})
	m.alerts = alertgroup.New(alertgroup.Deps{DB: c.db, Access: m.access, Audit: log, Site: m.site, API: m.api, Frame: m.frame})
	m.calendar = calendar.New(calendar.Deps{DB: c.db, Access: m.access, Audit: log, Site: m.site, Frame: m.frame})
}

// liveWorkers are the workers that are connected to this master now.
func liveWorkers(eng *engine.Engine) []workergroup.Worker {
	connected := eng.Workers()
	out := make([]workergroup.Worker, len(connected))
	for i, w := range connected {
		out[i] = workergroup.Worker{Name: w.Name, Address: w.Address, Groups: w.Groups}
	}
	return out
}
