package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"dorado/app/kit/db"
	"dorado/modules/flow"
)

// The kinds of rows of cluster_event that the engine writes.
const (
	EventMasterJoined = "MASTER_JOINED"
	EventMasterLeft   = "MASTER_LEFT"
	EventMasterLost   = "MASTER_LOST"
	EventTakenOver    = "TAKEN_OVER"
	EventWorkerJoined = "WORKER_JOINED"
	EventWorkerLeft   = "WORKER_LEFT"
	EventWorkerLost   = "WORKER_LOST"
	EventLeaseLost    = "LEASE_LOST"
	EventOverloaded   = "OVERLOADED"
	EventRecovered    = "RECOVERED"
)

const (
	nodeMaster = "master"
	nodeWorker = "worker"
)

// clusterEvent is a row of cluster_event.
type clusterEvent struct {
	kind, nodeKind, node, detail string
	workflows, tasks             int
	took                         time.Duration
}

func (s *store) event(ctx context.Context, by string, x clusterEvent) error {
	_, err := s.db.Exec(ctx, `INSERT INTO cluster_event (at, kind, node_kind, node, by_node, workflows, tasks, took_ms, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.now(), x.kind, x.nodeKind, x.node, by, x.workflows, x.tasks, x.took.Milliseconds(), clip(x.detail))
	return err
}

// released is what a master that is gone left to others.
type released struct{ workflows, tasks int }

// register makes this process the master name, with an epoch that no master ever had before. What a former process of the
// name left unfinished is released. A master that is alone fences off all others, too, and releases what they had.
func (s *store) register(ctx context.Context, name string, alone bool) (epoch int64, left released, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		if epoch, err = s.freshEpoch(ctx); err != nil {
			return err
		}
		if alone {
			if _, err := s.db.Exec(ctx, `DELETE FROM master WHERE name <> ?`, name); err != nil {
				return err
			}
		}
		if _, err = s.db.Exec(ctx, `INSERT INTO master (name, epoch, started_at) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, started_at = excluded.started_at`, name, epoch, s.now()); err != nil {
			return err
		}
		if alone {
			left, err = s.release(ctx, `owner <> ''`)
		} else {
			left, err = s.release(ctx, `owner = ?`, name)
		}
		return err
	})
	if err != nil {
		return 0, left, fmt.Errorf("register master %s: %w", name, err)
	}
	return epoch, left, nil
}

// freshEpoch takes the next epoch. The row is locked until the transaction ends, so epochs become visible in their order.
func (s *store) freshEpoch(ctx context.Context) (int64, error) {
	return db.Get[int64](ctx, s.db, `INSERT INTO id_block (name, next) VALUES ('master_epoch', (SELECT COALESCE(MAX(epoch), 0) + 1 FROM master))
		ON CONFLICT (name) DO UPDATE SET next = CASE WHEN id_block.next >= excluded.next THEN id_block.next + 1 ELSE excluded.next END
		RETURNING next`)
}

// takeOver releases the runs of a master that is gone. epoch is the one it was seen with, 0 when it has no row: only one
// of those who try with the same epoch does anything, and from then on whatever the master saves is void. won says that
// this was the one.
func (s *store) takeOver(ctx context.Context, name string, epoch int64) (left released, won bool, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		left, won = released{}, false
		if epoch != 0 {
			// The row of a master that saves just now is locked: this waits until the save is done, and sees it.
			res, err := s.db.Exec(ctx, `DELETE FROM master WHERE name = ? AND epoch = ?`, name, epoch)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 {
				return err
			}
		} else if n, err := db.Get[int](ctx, s.db, `SELECT count(*) FROM master WHERE name = ?`, name); err != nil || n > 0 {
			return err
		}
		var err error
		left, err = s.release(ctx, `owner = ?`, name)
		won = err == nil && (epoch != 0 || left.workflows > 0)
		return err
	})
	if err != nil {
		return left, false, fmt.Errorf("take over from master %s: %w", name, err)
	}
	return left, won, nil
}

// release makes the unfinished runs of some owners wait for a new one: each becomes FAILOVER and gets a command that says
// what it was, which any master may take. Done again it changes nothing.
func (s *store) release(ctx context.Context, owners string, args ...any) (left released, err error) {
	where := owners + ` AND state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')`
	// Nobody may ask for a stop or a pause between the two statements that follow.
	ids, err := db.Select[int64](ctx, s.db, `SELECT id FROM workflow_instance WHERE `+where+` ORDER BY id `+s.db.Dialect().ForUpdate(), args...)
	if err != nil || len(ids) == 0 {
		return left, err
	}
	left.workflows = len(ids)
	if left.tasks, err = db.Get[int](ctx, s.db, `SELECT count(*) FROM task_instance WHERE valid = ? AND state IN ('DISPATCH', 'RUNNING_EXECUTION')
		AND workflow_instance_id IN (SELECT id FROM workflow_instance WHERE `+where+`)`, append([]any{true}, args...)...); err != nil {
		return left, err
	}
	// What is submitted or waits has a command, or a place in a queue, of its own.
	under := where + ` AND state NOT IN ('SUBMITTED_SUCCESS', 'SERIAL_WAIT', 'WAIT_TO_RUN')`
	now := s.now()
	if _, err = s.db.Exec(ctx, `INSERT INTO command (command_type, workflow_instance_id, priority, executor_id, param, created_at)
		SELECT CAST(? AS TEXT), id, `+commandPriority+`, executor_id, '{"state":"' || state || '"}', CAST(? AS `+s.instantType()+`)
		FROM workflow_instance WHERE `+under, append([]any{flow.CommandTakeOver, now}, args...)...); err != nil {
		return left, err
	}
	if _, err = s.db.Exec(ctx, `UPDATE workflow_instance SET state = 'FAILOVER', owner = '', recovery = ?, updated_at = ? WHERE `+under,
		append([]any{true, now}, args...)...); err != nil {
		return left, err
	}
	if _, err = s.db.Exec(ctx, `UPDATE workflow_instance SET owner = '' WHERE `+where, args...); err != nil {
		return left, err
	}
	return left, s.db.Notify(ctx, CommandChannel, "")
}

// commandPriority is the place in the queue of commands that an instance's priority means.
const commandPriority = `CASE priority WHEN 'HIGHEST' THEN 0 WHEN 'HIGH' THEN 1 WHEN 'LOW' THEN 3 WHEN 'LOWEST' THEN 4 ELSE 2 END`

// ownerRow is a master that has a row, or runs; epoch is 0 without a row.
type ownerRow struct {
	Name  string `db:"name"`
	Epoch int64  `db:"epoch"`
}

// owners lists all masters that have a row or unfinished runs.
func (s *store) owners(ctx context.Context) ([]ownerRow, error) {
	rows, err := db.Select[ownerRow](ctx, s.db, `SELECT name, epoch FROM master
		UNION ALL SELECT DISTINCT w.owner, CAST(0 AS BIGINT) FROM workflow_instance w WHERE w.owner <> ''
		AND w.state NOT IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE') AND NOT EXISTS (SELECT 1 FROM master m WHERE m.name = w.owner)`)
	if err != nil {
		return nil, fmt.Errorf("list masters: %w", err)
	}
	return rows, nil
}

// fence keeps this master's place until the transaction ends. It returns errFenced when it has lost it.
func (s *store) fence(ctx context.Context, name string, epoch int64) error {
	lock := ""
	if s.db.Dialect().ManyWriters() {
		lock = " FOR SHARE"
	}
	_, err := db.Get[int](ctx, s.db, `SELECT 1 FROM master WHERE name = ? AND epoch = ?`+lock, name, epoch)
	if errors.Is(err, db.ErrNoRows) {
		return errFenced
	}
	return err
}

// orders are the commands about a run under way, as a list for SQL.
const orders = "'" + string(flow.CommandPause) + "', '" + string(flow.CommandStop) + "', '" + string(flow.CommandDecide) + "', '" +
	string(flow.CommandForceStart) + "', '" + string(flow.CommandKillTask) + "', '" + string(flow.CommandGroupPriority) + "'"

// portion is which commands are a master's: those that begin a run or take one over are divided by their ids.
type portion struct {
	slot, of         int // of the masters that take new runs; of = 0: this one takes none now
	overSlot, overOf int // of those that take runs over
}

// stale is how old a command is when anybody may take it: the master whose turn it is does not.
const stale = 10 * time.Second

const commandColumns = `c.id AS command_id, c.command_type AS command, c.param AS command_args, c.executor_id AS command_executor, `

// commands lists the next commands of a master but those it knows, most urgent first; a nil portion is the share of the
// only one.
func (s *store) commands(ctx context.Context, known []int64, limit int, name string, mine *portion) ([]commandRow, error) {
	unknown, list := s.db.Dialect().NoneOf("c.id", known)
	columns, args := commandColumns+instanceColumns, []any{list}
	where := unknown
	if mine != nil {
		turn := func(slot, of int) string {
			if of == 0 {
				return "FALSE"
			}
			args = append(args, of, slot, s.now().Add(-stale))
			return `(c.id % ? = ? OR c.created_at < ?)`
		}
		columns = `CASE WHEN c.command_type IN (` + orders + `) THEN EXISTS (SELECT 1 FROM command b WHERE b.workflow_instance_id = c.workflow_instance_id
			AND b.command_type NOT IN (` + orders + `)) ELSE FALSE END AS begins, ` + columns
		args = append(args, name)
		where += ` AND CASE
			WHEN c.command_type IN (` + orders + `) THEN w.owner IN ('', ?) OR w.state IN ('SUCCESS', 'FAILURE', 'STOP', 'PAUSE')
			WHEN c.command_type = '` + string(flow.CommandTakeOver) + `' THEN ` + turn(mine.overSlot, mine.overOf) + `
			ELSE ` + turn(mine.slot, mine.of) + ` END`
	}
	rows, err := db.Select[commandRow](ctx, s.db, `SELECT `+columns+` FROM command c JOIN workflow_instance w ON w.id = c.workflow_instance_id
		JOIN project p ON p.code = w.project_code WHERE `+where+` ORDER BY c.priority, c.id LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("list commands: %w", err)
	}
	return rows, nil
}

// former is what a run was before it was released: its row says so when somebody asked for something meanwhile, its
// command otherwise.
func (c *commandRow) former() flow.WorkflowState {
	if state := flow.WorkflowState(c.State); state != flow.WorkflowFailover {
		return state
	}
	var args flow.CommandArgs
	if json.Unmarshal([]byte(c.Param), &args) != nil || args.State == "" {
		return flow.WorkflowRunning
	}
	return args.State
}
