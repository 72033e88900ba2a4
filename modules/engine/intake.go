package engine

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"dorado/modules/engine/core"
	"dorado/modules/flow"
)

const (
	// CommandChannel is notified in the transaction that inserts a command.
	CommandChannel = "dorado_command"
	// intakeLimit bounds the commands that are being carried out at once; the rest wait in their table.
	intakeLimit = 512
	// intakePoll is the safety net under the notifications.
	intakePoll = 5 * time.Second
)

// intake turns command rows into messages. A row is deleted in the transaction that saves what it did, so a command is
// carried out once, whatever dies in between.
type intake struct {
	e      *Engine
	logger *slog.Logger
	wake   chan struct{}

	mu     sync.Mutex
	flight map[int64]bool // commands under way
}

func newIntake(e *Engine, logger *slog.Logger) *intake {
	return &intake{e: e, logger: logger, wake: make(chan struct{}, 1), flight: map[int64]bool{}}
}

// nudge says that there may be commands.
func (i *intake) nudge() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// done returns the function to call when a command's change was saved, or was void.
func (i *intake) done(command int64) func() {
	return func() {
		i.mu.Lock()
		full := len(i.flight) >= intakeLimit
		delete(i.flight, command)
		i.mu.Unlock()
		if full {
			i.nudge()
		}
	}
}

// run takes commands until ctx ends.
func (i *intake) run(ctx context.Context) error {
	poll := time.NewTicker(intakePoll)
	defer poll.Stop()
	for {
		if err := i.takeAll(ctx); err != nil && ctx.Err() == nil {
			i.logger.WarnContext(ctx, "read commands; tried again soon", "error", err)
			select {
			case <-time.After(200 * time.Millisecond):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case <-i.wake:
		case <-poll.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// takeAll reads commands until there is none left that is not under way.
func (i *intake) takeAll(ctx context.Context) error {
	for {
		i.mu.Lock()
		flying := len(i.flight)
		i.mu.Unlock()
		if flying >= intakeLimit {
			return nil
		}
		rows, err := i.e.store.commands(ctx, flying+100)
		if err != nil {
			return err
		}
		fresh := 0
		for _, row := range rows {
			i.mu.Lock()
			known := i.flight[row.CommandID]
			i.flight[row.CommandID] = true
			i.mu.Unlock()
			if known {
				continue
			}
			fresh++
			i.e.meters.commands.Inc()
			if err := i.take(ctx, row); err != nil {
				i.done(row.CommandID)()
				return err
			}
		}
		if fresh < 100 {
			return nil
		}
	}
}

// take starts carrying out one command. A command that can never be carried out is moved to the error table.
func (i *intake) take(ctx context.Context, row commandRow) error {
	shard := i.e.shard(row.ID)
	switch flow.CommandType(row.Type) {
	case flow.CommandPause:
		shard.post(message{run: row.ID, event: core.Pause{}, command: row.CommandID})
		return nil
	case flow.CommandStop:
		shard.post(message{run: row.ID, event: core.Stop{}, command: row.CommandID})
		return nil
	case flow.CommandStart, flow.CommandSchedule, flow.CommandBackfill, flow.CommandRepeat, flow.CommandRecoverFailed, flow.CommandResume:
		l, err := i.e.load(ctx, row.instanceRow, flow.CommandType(row.Type) != flow.CommandStart)
		if err == nil {
			begin := core.Begin{Command: flow.CommandType(row.Type), Fresh: flow.CommandType(row.Type) == flow.CommandRepeat}
			shard.post(message{run: row.ID, launch: &launch{live: l, command: row.CommandID, event: begin}})
			return nil
		}
		if !permanent(err) {
			return err
		}
		i.logger.ErrorContext(ctx, "a command cannot be carried out", "workflow_instance_id", row.ID, "command", row.Type, "error", err)
		return i.reject(ctx, row, err)
	case flow.CommandTakeOver, flow.CommandSerialWait, flow.CommandExecuteTask, flow.CommandDynamicChild,
		flow.CommandDecide, flow.CommandForceStart, flow.CommandKillTask, flow.CommandGroupPriority:
	}
	return i.reject(ctx, row, unbuildable{errUnknownCommand(row.Type)})
}

func (i *intake) reject(ctx context.Context, row commandRow, why error) error {
	if err := i.e.store.reject(ctx, row, why); err != nil {
		return err
	}
	i.done(row.CommandID)()
	i.e.publish([]int64{row.ID})
	return nil
}

// errUnknownCommand is a command type that this program does not carry out.
type errUnknownCommand string

func (e errUnknownCommand) Error() string {
	return "engine: command type " + string(e) + " is not known"
}
