package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/vault"
	"dorado/modules/flow"
)

// ConfigChannel is notified after worker groups, environments, project parameters or task groups changed.
const ConfigChannel = "dorado_config"

// setupPoll is how old the engine's copy of these may become when a notification is lost.
const setupPoll = 10 * time.Second

// setup is a copy of what administrators arrange and every dispatch needs. It is never changed, only replaced.
type setup struct {
	groups       map[string][]string              // worker group → its workers by name or host; none = whoever says it serves it
	environments map[int64]string                 // code → shell lines
	params       map[int64][]flow.Property        // project code → its parameters
	secrets      map[int64]map[string]sealedParam // project code → its secret parameters, by name
	taskGroups   map[int64]taskGroupRow           // by id
	queues       map[string]string                // tenant → the queue that it uses
	drained      map[string]bool                  // workers that get no new work
}

// taskGroupRow is what limits the tasks of a group.
type taskGroupRow struct {
	ID     int64 `db:"id"`
	Size   int   `db:"group_size"`
	Status int   `db:"status"`
}

// open reports whether the group limits anything.
func (g taskGroupRow) open() bool { return g.Status != 0 }

// setups keeps the current setup.
type setups struct {
	store   *store
	vault   *vault.Client // nil = none
	changed func(*setup)  // told of every copy that was read
	current atomic.Pointer[setup]
	wake    chan struct{}
	mu      sync.Mutex // one reader at a time
}

func newSetups(s *store, v *vault.Client, changed func(*setup)) *setups {
	u := &setups{store: s, vault: v, changed: changed, wake: make(chan struct{}, 1)}
	u.current.Store(&setup{})
	return u
}

func (u *setups) get() *setup { return u.current.Load() }

// read replaces the copy.
func (u *setups) read(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	next, err := u.store.setup(ctx)
	if err != nil {
		return err
	}
	u.current.Store(next)
	u.changed(next)
	return nil
}

// nudge says that the copy may be stale.
func (u *setups) nudge() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// run keeps the copy fresh until ctx ends.
func (u *setups) run(ctx context.Context, failed func(error)) {
	poll := time.NewTicker(setupPoll)
	defer poll.Stop()
	for {
		select {
		case <-u.wake:
		case <-poll.C:
		case <-ctx.Done():
			return
		}
		if err := u.read(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

// knows reports whether a program can be run by this copy: whatever it names is in it. What was created a moment ago may
// not be.
func (u *setup) knows(p *program, environment int64) bool {
	if environment > 0 {
		if _, ok := u.environments[environment]; !ok {
			return false
		}
	}
	for _, code := range p.environments {
		if _, ok := u.environments[code]; !ok {
			return false
		}
	}
	for _, id := range p.taskGroups {
		if _, ok := u.taskGroups[id]; !ok {
			return false
		}
	}
	return true
}

// setup reads the tables behind a setup.
func (s *store) setup(ctx context.Context) (*setup, error) {
	u := &setup{
		groups: map[string][]string{}, environments: map[int64]string{}, params: map[int64][]flow.Property{},
		taskGroups: map[int64]taskGroupRow{}, drained: map[string]bool{}, secrets: map[int64]map[string]sealedParam{},
		queues: map[string]string{},
	}
	type group struct {
		Name      string `db:"name"`
		Addresses string `db:"addresses"`
	}
	if err := db.Each(ctx, s.db, func(g group) error {
		u.groups[g.Name] = strings.FieldsFunc(g.Addresses, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
		return nil
	}, `SELECT name, addresses FROM worker_group`); err != nil {
		return nil, fmt.Errorf("read worker groups: %w", err)
	}
	type tenant struct {
		Code  string `db:"code"`
		Queue string `db:"queue"`
	}
	if err := db.Each(ctx, s.db, func(t tenant) error {
		u.queues[t.Code] = t.Queue
		return nil
	}, `SELECT t.code, q.value AS queue FROM tenant t JOIN queue q ON q.id = t.queue_id`); err != nil {
		return nil, fmt.Errorf("read tenants: %w", err)
	}
	type environment struct {
		Code   int64  `db:"code"`
		Config string `db:"config"`
	}
	if err := db.Each(ctx, s.db, func(e environment) error {
		u.environments[e.Code] = e.Config
		return nil
	}, `SELECT code, config FROM environment`); err != nil {
		return nil, fmt.Errorf("read environments: %w", err)
	}
	type param struct {
		Project int64  `db:"project_code"`
		Name    string `db:"name"`
		Value   string `db:"value"`
		Type    string `db:"data_type"`
		Secret  bool   `db:"is_secret"`
	}
	if err := db.Each(ctx, s.db, func(p param) error {
		if p.Secret {
			if u.secrets[p.Project] == nil {
				u.secrets[p.Project] = map[string]sealedParam{}
			}
			u.secrets[p.Project][p.Name] = s.open(p.Name, p.Value)
			return nil
		}
		u.params[p.Project] = append(u.params[p.Project], flow.Property{Prop: p.Name, Direct: flow.In, Type: flow.ParamType(p.Type), Value: p.Value})
		return nil
	}, `SELECT project_code, name, value, data_type, is_secret FROM project_parameter ORDER BY id`); err != nil {
		return nil, fmt.Errorf("read project parameters: %w", err)
	}
	if err := db.Each(ctx, s.db, func(g taskGroupRow) error {
		u.taskGroups[g.ID] = g
		return nil
	}, `SELECT id, group_size, status FROM task_group`); err != nil {
		return nil, fmt.Errorf("read task groups: %w", err)
	}
	names, err := db.Select[string](ctx, s.db, `SELECT name FROM worker_setting WHERE drained = ?`, true)
	if err != nil {
		return nil, fmt.Errorf("read drained workers: %w", err)
	}
	for _, name := range names {
		u.drained[name] = true
	}
	return u, nil
}
