package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

const (
	// CommandChannel is notified in the transaction that inserts a command, with the id of its instance and, where it
	// was left alone, its own: "12:34".
	CommandChannel = "dorado_command"
	// intakeLimit bounds the commands that are being carried out at once; the rest wait in their table.
	intakeLimit = 512
	// intakePoll is the safety net under the notifications.
	intakePoll = 5 * time.Second
)

// intake turns command rows into messages. A row is deleted in the transaction that saves what it did, so a command is
// carried out once, whatever dies in between.
type intake struct {
	e      *term
	logger *slog.Logger
	wake   chan struct{}
	mine   func() *portion // which commands are this master's; nil = all

	mu     sync.Mutex
	look   bool            // there may be commands
	heard  []int64         // commands that were left since the last read
	flight map[int64]int64 // commands under way (0), or done since the read of that number
	flying int             // under way
	reads  int64           // how often commands were read
	// begun are the instances of commands under way that begin a run, or take one over; left are instances of commands
	// that wait until such a one, of whomever, is done.
	begun map[int64]int64 // command → instance
	left  map[int64]bool
	all   bool // everything that was there when this master began was read
}

func newIntake(e *term, logger *slog.Logger) *intake {
	return &intake{
		e: e, logger: logger, wake: make(chan struct{}, 1), flight: map[int64]int64{}, begun: map[int64]int64{}, left: map[int64]bool{},
		mine: func() *portion { return nil },
	}
}

// nudge says that there may be commands.
func (i *intake) nudge() {
	i.mu.Lock()
	i.look = true
	i.mu.Unlock()
	i.rouse()
}

// told passes on a notification of CommandChannel. "12:34" is command 34 for the instance 12: a master that was nudged by the
// one who left it, in the same process, has mostly read it by then. Anything else is a nudge.
func (i *intake) told(payload string) {
	_, after, named := strings.Cut(payload, ":")
	command, err := strconv.ParseInt(after, 10, 64)
	if !named || err != nil {
		i.nudge()
		return
	}
	i.mu.Lock()
	if len(i.heard) < intakeLimit {
		i.heard = append(i.heard, command)
	} else {
		i.look = true
	}
	i.mu.Unlock()
	i.rouse()
}

// unread reports whether there may be commands that are not under way.
func (i *intake) unread() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	look := i.look
	for _, command := range i.heard {
		_, known := i.flight[command]
		look = look || !known
	}
	i.look, i.heard = false, i.heard[:0]
	return look
}

func (i *intake) rouse() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// done returns the function to call when a command's change was saved, or was void. The command is remembered until a read
// that began afterwards: one that is under way may still have seen it.
func (i *intake) done(command int64) func() {
	return func() {
		i.mu.Lock()
		again := i.flying >= intakeLimit || i.left[i.begun[command]] || i.e.cfg.Overload.MaxRuns > 0
		delete(i.begun, command)
		if at, known := i.flight[command]; known && at == 0 {
			i.flight[command] = i.reads
			i.flying--
		}
		i.mu.Unlock()
		if again {
			i.nudge()
		}
	}
}

// run takes commands until ctx ends.
func (i *intake) run(ctx context.Context) error {
	poll := time.NewTicker(intakePoll)
	defer poll.Stop()
	for {
		err := i.takeAll(ctx)
		if ctx.Err() == nil {
			i.e.reach(err == nil)
		}
		if err != nil && ctx.Err() == nil {
			i.logger.WarnContext(ctx, "read commands; tried again soon", "error", err)
			select {
			case <-time.After(200 * time.Millisecond):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		for again := false; !again; {
			select {
			case <-i.wake:
				again = i.unread()
			case <-poll.C:
				again = true
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// takeAll reads commands until there is none left that is not under way.
func (i *intake) takeAll(ctx context.Context) error {
	for {
		i.mu.Lock()
		flying := i.flying
		i.reads++
		for command, at := range i.flight {
			if at != 0 && at < i.reads { // this read begins after it was gone
				delete(i.flight, command)
			}
		}
		known := slices.Collect(maps.Keys(i.flight))
		behind := len(i.left)
		clear(i.left)
		i.mu.Unlock()
		if flying >= intakeLimit {
			return nil
		}
		mine := i.mine()
		began := time.Now()
		rows, err := i.e.store.commands(ctx, known, behind+100, i.e.cfg.Name, mine)
		i.e.meters.query.Observe(time.Since(began).Seconds())
		if err != nil {
			return err
		}
		fresh := 0
		for _, row := range rows {
			if !i.claim(&row, mine) {
				continue
			}
			fresh++
			i.e.meters.commands.Inc()
			if err := i.take(ctx, row); err != nil {
				i.forget(row.CommandID)
				return err
			}
		}
		if fresh < 100 {
			i.mu.Lock()
			i.all = true
			i.mu.Unlock()
			return nil
		}
	}
}

// caughtUp reports whether everything that was there when this master began is carried out.
func (i *intake) caughtUp() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.all && i.flying == 0
}

// claim notes that a command is under way, unless it is already, or is not for this master now.
func (i *intake) claim(row *commandRow, mine *portion) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, known := i.flight[row.CommandID]; known {
		return false
	}
	begin := begins(flow.CommandType(row.Type))
	if !begin && mine != nil && row.Owner != i.e.cfg.Name {
		// Nobody works on the run. When something is about to begin it, whoever does that is asked; otherwise one of all.
		here := false
		for _, instance := range i.begun {
			here = here || instance == row.ID
		}
		switch {
		case here:
		case row.Begins:
			i.left[row.ID] = true
			return false
		case mine.overOf == 0 || row.CommandID%int64(mine.overOf) != int64(mine.overSlot):
			return false
		}
	}
	if most := i.e.cfg.Overload.MaxRuns; begin && most > 0 && row.Type != string(flow.CommandTakeOver) && int(i.e.running.Load())+len(i.begun) >= most {
		return false
	}
	i.flight[row.CommandID] = 0
	i.flying++
	if begin {
		i.begun[row.CommandID] = row.ID
	}
	return true
}

// forget has a command taken again.
func (i *intake) forget(command int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if at, known := i.flight[command]; known && at == 0 {
		i.flying--
	}
	delete(i.flight, command)
	delete(i.begun, command)
}

// take starts carrying out one command. A command that can never be carried out is moved to the error table.
func (i *intake) take(ctx context.Context, row commandRow) error {
	shard := i.e.shard(row.ID)
	kind := flow.CommandType(row.Type)
	switch kind {
	case flow.CommandPause, flow.CommandStop:
		if state := flow.WorkflowState(row.State); state == flow.WorkflowSerialWait || state == flow.WorkflowWaitToRun {
			return i.endWaiting(ctx, row, kind)
		}
		var event core.Event = core.Pause{}
		if kind == flow.CommandStop {
			event = core.Stop{}
		}
		shard.post(message{run: row.ID, event: event, command: row.CommandID})
		return nil
	case flow.CommandStart, flow.CommandSchedule, flow.CommandBackfill, flow.CommandRepeat, flow.CommandRecoverFailed, flow.CommandResume,
		flow.CommandDynamicChild, flow.CommandExecuteTask, flow.CommandSerialWait, flow.CommandTakeOver: // those of begins
		return i.launch(ctx, row, kind)
	case flow.CommandDecide, flow.CommandForceStart, flow.CommandKillTask, flow.CommandGroupPriority:
		var args flow.CommandArgs
		if err := json.Unmarshal([]byte(row.Param), &args); err != nil {
			return i.reject(ctx, row, unbuildable{fmt.Errorf("command %s: %w", row.Type, err)})
		}
		shard.post(message{run: row.ID, order: &order{kind, args, row.Executor}, command: row.CommandID})
		return nil
	}
	return i.reject(ctx, row, unbuildable{errUnknownCommand(row.Type)})
}

// begins reports whether a command begins a run, rather than asking something of one that is under way.
func begins(kind flow.CommandType) bool {
	switch kind {
	case flow.CommandPause, flow.CommandStop, flow.CommandDecide, flow.CommandForceStart, flow.CommandKillTask, flow.CommandGroupPriority:
		return false
	default:
		return true
	}
}

// underWay reports whether a run in this state is some master's.
func underWay(state flow.WorkflowState) bool {
	switch state {
	case flow.WorkflowRunning, flow.WorkflowReadyPause, flow.WorkflowReadyStop, flow.WorkflowFailover:
		return true
	default:
		return false
	}
}

// launch brings the run of a command into memory, or queues its instance when the workflow must not overlap.
func (i *intake) launch(ctx context.Context, row commandRow, kind flow.CommandType) error {
	began := time.Now()
	defer func() { i.e.meters.generate.Observe(time.Since(began).Seconds()) }()
	if state := flow.WorkflowState(row.State); row.Owner != "" && underWay(state) || kind == flow.CommandTakeOver && state.Finished() {
		i.logger.WarnContext(ctx, "a command for a run that is under way, or over, is dropped", "workflow_instance_id", row.ID, "command", row.Type)
		i.e.shard(row.ID).post(message{run: row.ID, command: row.CommandID, skip: true})
		return nil
	}
	fresh := kind == flow.CommandStart || kind == flow.CommandSchedule || kind == flow.CommandBackfill || kind == flow.CommandDynamicChild
	l, err := i.e.load(ctx, row.instanceRow, !fresh || row.RunTimes > 1)
	if kind == flow.CommandTakeOver {
		i.e.meters.resubmit.Inc()
	}
	if err == nil && l.program.serial() && kind != flow.CommandTakeOver && !row.Stream {
		var queued bool
		if queued, err = i.e.store.enqueue(ctx, &row, l.program.execution); err == nil && queued {
			i.done(row.CommandID)()
			i.e.serial.look(row.WorkflowCode)
			i.e.publish([]int64{row.ID})
			return nil
		}
	}
	switch {
	case err == nil:
	case permanent(err):
		i.logger.ErrorContext(ctx, "a command cannot be carried out", "workflow_instance_id", row.ID, "command", row.Type, "error", err)
		return i.reject(ctx, row, err)
	default:
		return err
	}
	var event core.Event = core.Begin{Command: kind, Fresh: kind == flow.CommandRepeat}
	switch kind {
	case flow.CommandTakeOver:
		l.failedOver(row.former(), i.e.clock())
		event = core.Adopt{}
	case flow.CommandExecuteTask:
		event, err = executeEvent(&row, l)
		if err != nil {
			return i.reject(ctx, row, unbuildable{err})
		}
	default:
	}
	i.e.shard(row.ID).post(message{run: row.ID, launch: &launch{live: l, command: row.CommandID, event: event}})
	return nil
}

// errNoExecuteNode says that an EXECUTE_TASK names no task.
var errNoExecuteNode = errors.New("engine: EXECUTE_TASK names no task")

// executeEvent is what an EXECUTE_TASK asks for: its own nodes, or those that the instance keeps.
func executeEvent(row *commandRow, l *live) (core.Event, error) {
	var args flow.CommandArgs
	if err := json.Unmarshal([]byte(row.Param), &args); err != nil {
		return nil, fmt.Errorf("command %s: %w", row.Type, err)
	}
	ev := core.Execute{Nodes: args.StartNodes, Depend: args.TaskDependType}
	if len(ev.Nodes) == 0 {
		ev.Nodes, ev.Depend = l.param.ExecuteNodes, l.param.ExecuteDepend
	}
	if ev.Depend == "" {
		ev.Depend = flow.TaskOnly
	}
	if len(ev.Nodes) == 0 {
		return nil, errNoExecuteNode
	}
	for _, code := range ev.Nodes {
		if _, known := l.program.graph.Index[code]; !known {
			return nil, fmt.Errorf("engine: EXECUTE_TASK names task %d, which is not in the workflow", code)
		}
	}
	return ev, nil
}

// endWaiting stops or pauses an instance that no master works on yet.
func (i *intake) endWaiting(ctx context.Context, row commandRow, kind flow.CommandType) error {
	ended, err := i.e.store.ask(ctx, row.ID, kind)
	if err == nil {
		_, err = i.e.db.Exec(ctx, `DELETE FROM command WHERE id = ?`, row.CommandID)
	}
	if err != nil {
		return err
	}
	i.done(row.CommandID)()
	if ended {
		state := flow.WorkflowStop
		if kind == flow.CommandPause {
			state = flow.WorkflowPause
		}
		i.e.settled(row.ended(state, i.e.clock()))
	}
	return nil
}

func (i *intake) reject(ctx context.Context, row commandRow, why error) error {
	if err := i.e.store.reject(ctx, row, why); err != nil {
		return err
	}
	i.done(row.CommandID)()
	if !begins(flow.CommandType(row.Type)) {
		return nil
	}
	i.e.alerts.nudge()
	i.e.settled(row.ended(flow.WorkflowFailure, i.e.clock()))
	return nil
}

// ended describes an instance that ended without its run.
func (r *instanceRow) ended(state flow.WorkflowState, now time.Time) Ended {
	return Ended{
		InstanceID: r.ID, WorkflowCode: r.WorkflowCode, ProjectCode: r.ProjectCode, State: state, ScheduleTime: r.ScheduleTime,
		StartTime: r.StartTime, EndTime: now, Param: commandParam(r.CommandParam),
	}
}

// commandParam reads what started an instance; a text it cannot read says nothing.
func commandParam(text string) flow.CommandParam {
	var param flow.CommandParam
	if json.Unmarshal([]byte(text), &param) != nil {
		return flow.CommandParam{}
	}
	return param
}

// errUnknownCommand is a command type that this program does not carry out.
type errUnknownCommand string

func (e errUnknownCommand) Error() string {
	return "engine: command type " + string(e) + " is not known"
}
