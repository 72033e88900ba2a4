package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dorado/modules/flow"
)

const (
	logLines = 5000 // read at once
	// followPause is between two looks at logs that grow.
	followPause = time.Second
)

func logsCommand() *cobra.Command {
	c := &remote{}
	follow := false
	cmd := &cobra.Command{
		Use: "logs RUN [TASK]", Short: "Print the logs of the tasks of a run, or of one of them", Args: usageArgs(cobra.RangeArgs(1, 2)),
		Long: "Print the logs of the tasks of a run, or of one of them. With several tasks each line begins with the name of its task.\n" +
			"With --follow new lines are printed until the run, or the task, has ended.",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			id, err := number(args[0])
			if err != nil {
				return err
			}
			in, _, _, err := c.find(ctx, id)
			if err != nil {
				return err
			}
			reader := &logReader{remote: c, cmd: cmd, in: in, run: id, read: map[int64]int{}}
			if len(args) > 1 {
				reader.task = args[1]
			}
			return reader.print(ctx, follow)
		},
	}
	c.flags(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the run has ended")
	return cmd
}

// logReader prints what it has not printed yet.
type logReader struct {
	*remote

	cmd  *cobra.Command
	in   string
	run  int64
	task string        // "" = all
	read map[int64]int // lines of each attempt, as the server counts them
}

func (l *logReader) print(ctx context.Context, follow bool) error {
	for {
		state, _, list, err := l.tasks(ctx, l.in, l.run)
		if err != nil {
			return err
		}
		if l.task != "" {
			list = slices.DeleteFunc(list, func(t taskRun) bool { return t.Name != l.task && strconv.FormatInt(t.ID, 10) != l.task })
			if len(list) == 0 && (!follow || state.Finished()) {
				return fmt.Errorf("run %d has no task %q", l.run, l.task)
			}
		}
		slices.SortStableFunc(list, func(a, b taskRun) int { return strings.Compare(a.Start, b.Start) })
		for _, t := range list {
			if err := l.attempt(ctx, t); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
		}
		over := state.Finished()
		if l.task != "" {
			over = over || len(list) > 0 && !slices.ContainsFunc(list, func(t taskRun) bool { return !flow.TaskState(t.State).Finished() })
		}
		if !follow || over {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // interrupted by the user
		case <-time.After(followPause):
		}
	}
}

// attempt prints the new lines of one attempt.
func (l *logReader) attempt(ctx context.Context, t taskRun) error {
	prefix := ""
	if l.task == "" {
		prefix = "[" + oneLine(t.Name) + "] "
	}
	for {
		var got struct {
			Lines   int    `json:"lineNum"`
			Message string `json:"message"`
		}
		fields := url.Values{
			"taskInstanceId": {strconv.FormatInt(t.ID, 10)}, "skipLineNum": {strconv.Itoa(l.read[t.ID])}, "limit": {strconv.Itoa(logLines)},
		}
		if err := l.call(ctx, http.MethodGet, "/log/detail", fields, &got); err != nil {
			if no, ok := errors.AsType[*refusal](err); ok && no.code == noLog {
				return nil // the task has not begun
			}
			return err
		}
		if got.Lines == 0 {
			return nil
		}
		lines := strings.Split(got.Message, "\r\n")
		if l.read[t.ID] == 0 { // where the log lies, which says nothing here
			lines = lines[1:]
		}
		l.read[t.ID] += got.Lines
		for _, line := range lines {
			fmt.Fprintf(l.cmd.OutOrStdout(), "%s%s\n", prefix, line)
		}
		if got.Lines < logLines {
			return nil
		}
	}
}
