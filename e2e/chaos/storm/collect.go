package storm

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dorado/e2e/chaos/check"
)

// unfinished counts what is left to do, by name.
func (w *World) unfinished(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	for what, query := range map[string]string{
		"unfinished runs":          `SELECT count(*) FROM workflow_instance WHERE state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')`,
		"unfinished attempts":      `SELECT count(*) FROM task_instance WHERE end_time IS NULL AND state <> 'PAUSE'`,
		"commands":                 `SELECT count(*) FROM command`,
		"refused commands":         `SELECT count(*) FROM error_command`,
		"rows of the serial queue": `SELECT count(*) FROM serial_queue`,
		"slots of task groups":     `SELECT count(*) FROM task_group_slot`,
	} {
		n := 0
		if err := w.db.QueryRowContext(ctx, query).Scan(&n); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		out[what] = n
	}
	return out, nil
}

// calm waits until nothing is left to do, or until so long nothing has changed.
func (w *World) calm(ctx context.Context, patience time.Duration) (map[string]int, error) {
	var last string
	changed := time.Now()
	for {
		left, err := w.unfinished(ctx)
		if err == nil {
			total := 0
			for what, n := range left {
				if what != "refused commands" {
					total += n
				}
			}
			if total == 0 {
				return left, nil
			}
		}
		var done int
		if countErr := w.db.QueryRowContext(ctx, `SELECT count(*) FROM task_instance WHERE end_time IS NOT NULL`).Scan(&done); countErr == nil {
			if now := fmt.Sprint(left, done); now != last {
				last, changed = now, time.Now()
			}
		}
		if time.Since(changed) > patience {
			return left, err
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return left, err
		}
	}
}

// evidence reads everything that the checker needs.
func (w *World) evidence(ctx context.Context, d *desk, l *load, faults []check.Fault) (check.Facts, error) {
	f := check.Facts{
		Triggers: l.triggers, Workflows: d.workflows, Groups: d.groups, Schedules: d.schedules, Faults: faults, Unreachable: grace,
	}
	ledger, err := os.Open(d.ledger)
	if err != nil {
		return f, err
	}
	defer func() { _ = ledger.Close() }()
	if f.Marks, err = check.Read(ledger); err != nil {
		return f, err
	}
	if f.Left, err = w.unfinished(ctx); err != nil {
		return f, err
	}
	if err := w.runs(ctx, &f, l); err != nil {
		return f, err
	}
	if err := w.attempts(ctx, &f); err != nil {
		return f, err
	}
	return f, each(ctx, w.db, `SELECT schedule_id, fire_time, workflow_instance_id FROM schedule_fire ORDER BY 1, 2`, func(scan func(...any) error) error {
		var fire check.Fire
		err := scan(&fire.Schedule, &fire.At, &fire.Run)
		f.Fires = append(f.Fires, fire)
		return err
	})
}

func (w *World) runs(ctx context.Context, f *check.Facts, l *load) error {
	parents := map[int64]int64{}
	err := each(ctx, w.db, `SELECT child_instance_id, parent_instance_id FROM instance_link`, func(scan func(...any) error) error {
		var child, parent int64
		err := scan(&child, &parent)
		parents[child] = parent
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, w.db, `SELECT id, workflow_code, state, global_params, command_param FROM workflow_instance ORDER BY id`, func(scan func(...any) error) error {
		var r check.Run
		var globals, param string
		if err := scan(&r.ID, &r.Workflow, &r.State, &globals, &param); err != nil {
			return err
		}
		r.Parent, r.Stop, r.Pause = parents[r.ID], l.stops[r.ID], l.pauses[r.ID]
		r.Key = keyOf(globals, param)
		if r.Parent != 0 {
			r.Key = "" // a child has its parent's
		}
		f.Runs = append(f.Runs, r)
		return nil
	})
}

// keyOf finds the trigger's key: among the run's parameters, or, before those are worked out, in its command's.
func keyOf(globals, param string) string {
	var list []struct{ Prop, Value string }
	if json.Unmarshal([]byte(globals), &list) == nil {
		for _, p := range list {
			if p.Prop == "key" && p.Value != "none" {
				return p.Value
			}
		}
	}
	for _, word := range strings.FieldsFunc(param, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') }) {
		if n, ok := strings.CutPrefix(word, "k"); ok {
			if _, err := strconv.Atoi(n); err == nil {
				return word
			}
		}
	}
	return ""
}

func (w *World) attempts(ctx context.Context, f *check.Facts) error {
	return each(ctx, w.db, `SELECT id, workflow_instance_id, task_code, state, host, valid, task_type FROM task_instance ORDER BY id`, func(scan func(...any) error) error {
		var a check.Attempt
		var kind, host string
		if err := scan(&a.ID, &a.Run, &a.Task, &a.State, &host, &a.Valid, &kind); err != nil {
			return err
		}
		a.Logic = kind != "SHELL"
		a.Worker = w.nameOf(host)
		f.Attempts = append(f.Attempts, a)
		return nil
	})
}

// nameOf finds the worker that a row's host means, which is its name or its address.
func (w *World) nameOf(host string) string {
	for _, n := range w.Workers {
		if host == n.Name || host == n.addr {
			return n.Name
		}
	}
	return host
}

func each(ctx context.Context, db *sql.DB, query string, row func(scan func(...any) error) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// leftProcesses lists processes that belong to tasks of this world: they name its folder.
func (w *World) leftProcesses() ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var out []int
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(raw), filepath.Join(w.Dir, "ledger")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		if pid != os.Getpid() {
			out = append(out, pid)
		}
	}
	return out, nil
}

// endLeft kills what tasks left behind.
func (w *World) endLeft() error {
	if w.Dir == "" {
		return nil
	}
	pids, err := w.leftProcesses()
	for _, pid := range pids {
		if killErr := syscall.Kill(pid, syscall.SIGKILL); killErr != nil && !errors.Is(killErr, syscall.ESRCH) {
			err = errors.Join(err, killErr)
		}
	}
	return err
}

// owned lists the unfinished runs of a master.
func (h *weather) owned(ctx context.Context, n *Node) map[int64]int64 {
	out := map[int64]int64{}
	if !n.Master {
		return out
	}
	// When the database is away there is nothing to be measured.
	_ = each(ctx, h.w.db, `SELECT id, owner_epoch FROM workflow_instance
		WHERE owner = '`+n.Name+`' AND state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')`, func(scan func(...any) error) error {
		var id, epoch int64
		err := scan(&id, &epoch)
		out[id] = epoch
		return err
	})
	return out
}

// watch measures how long it takes until every run that a killed master had belongs to somebody that lives.
func (h *weather) watch(ctx context.Context, fault int, n *Node, owned map[int64]int64, since time.Time) {
	if len(owned) == 0 {
		return
	}
	back := false
	for sleep(ctx, 100*time.Millisecond) == nil && time.Since(since) < 2*time.Minute {
		left := 0
		err := each(ctx, h.w.db, `SELECT id, owner_epoch FROM workflow_instance WHERE state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')`,
			func(scan func(...any) error) error {
				var id, epoch int64
				err := scan(&id, &epoch)
				if old, ok := owned[id]; ok && old == epoch {
					left++
				}
				return err
			})
		if err == nil && left == 0 {
			h.mu.Lock()
			h.took = append(h.took, Takeover{Fault: fault, Runs: len(owned), Took: time.Since(since), Back: back})
			h.mu.Unlock()
			return
		}
		back = back || n.live.Load() != 0
	}
}
