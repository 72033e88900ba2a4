package boot

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"dorado/app/kit/lifecycle"
	"dorado/modules/executor"
	"dorado/modules/rpc"
)

const (
	// dataLock is the name of the data folder's lock among the files of a handover.
	dataLock = "data"
	// CheckFlag makes a serving command read its configuration and end.
	CheckFlag = "check"
	// checkTime is how long the next program may take to say that it is one.
	checkTime = 20 * time.Second
)

// upgradeService replaces the worker's program at each SIGUSR2, while its tasks run on. A program that cannot take over is
// not begun: the worker goes on as it is, and its log says why.
func upgradeService(worker *executor.Executor, lock *os.File, logger *slog.Logger) lifecycle.Service {
	signals := make(chan os.Signal, 1)
	return lifecycle.Service{
		Name: "upgrade",
		Start: func(context.Context) error {
			signal.Notify(signals, syscall.SIGUSR2)
			return nil
		},
		Run: func(ctx context.Context) error {
			defer signal.Stop(signals)
			for {
				select {
				case <-signals:
				case <-ctx.Done():
					return nil
				}
				if err := upgrade(ctx, worker, lock); err != nil {
					logger.ErrorContext(ctx, "the worker was not upgraded and goes on as it was", "error", err)
				}
			}
		},
	}
}

func upgrade(ctx context.Context, worker *executor.Executor, lock *os.File) error {
	program, err := ownProgram()
	if err != nil {
		return err
	}
	if err := checkProgram(ctx, program); err != nil {
		return err
	}
	return worker.Upgrade(ctx, executor.Upgrade{
		Program: program, Args: os.Args, Environ: os.Environ(), Keep: map[string]*os.File{dataLock: lock},
	})
}

// ownProgram is the file that would be run if this command was given again: not the one that runs, which may have been
// replaced, or be an old one to which a link no longer points.
func ownProgram() (string, error) {
	if file, err := exec.LookPath(os.Args[0]); err == nil {
		return filepath.Abs(file)
	}
	return os.Executable()
}

// checkProgram reports what is wrong with a program as the next one: it must say that it can take over, and be content with
// this one's arguments, environment and configuration.
func checkProgram(ctx context.Context, program string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	says, err := exec.CommandContext(ctx, program, "version").Output()
	if err != nil {
		return fmt.Errorf("%s version: %w", program, err)
	}
	if err := executor.CanTakeOver(string(says)); err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	args := append(slices.Clone(os.Args[1:]), "--"+CheckFlag)
	if says, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not like the configuration: %w: %s", program, err, says)
	}
	return nil
}

// inherit returns what the program before this one left in the process, if it was upgraded in place.
func inherit(ctx context.Context, logger *slog.Logger) *executor.Handover {
	h, err := executor.Inherited()
	if err != nil {
		logger.ErrorContext(ctx, "tasks of the program before are lost", "error", err)
	}
	return h
}

// Capabilities is what other programs must know of this one before they let it take part: the form in which it takes over
// tasks, and the protocol between masters and workers.
func Capabilities() string {
	return executor.HandoverLine() + "\nprotocol " + strconv.Itoa(rpc.Protocol)
}
