package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"dorado/modules/flow"
)

// run is a run of a workflow.
type run struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	State       string `json:"state"`
	ProjectCode int64  `json:"projectCode"`
	Start       string `json:"startTime"`
	End         string `json:"endTime"`
	Duration    string `json:"duration"`
	Command     string `json:"commandType"`
	Executor    string `json:"executorName"`
}

// taskRun is an attempt of a task.
type taskRun struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Type     string `json:"taskType"`
	State    string `json:"state"`
	Start    string `json:"startTime"`
	End      string `json:"endTime"`
	Duration string `json:"duration"`
	Host     string `json:"host"`
	Retries  int    `json:"retryTimes"`
}

func runsCommand() *cobra.Command {
	c := &remote{}
	cmd := &cobra.Command{
		Use: "run", Short: "List, show, stop, pause, resume and rerun runs of workflows", Args: cobra.NoArgs,
		Long: "Runs of workflows, by their number. A run is started by `dorado workflow run`.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.flags(cmd)
	cmd.AddCommand(
		runListCommand(c), runShowCommand(c),
		operateCommand(c, "stop", "Stop runs: their tasks are killed", flow.OpStop),
		operateCommand(c, "pause", "Pause runs: running tasks end, no others begin", flow.OpPause),
		operateCommand(c, "resume", "Let paused or stopped runs go on", flow.OpResume),
		rerunCommand(c),
	)
	return cmd
}

func runListCommand(c *remote) *cobra.Command {
	var workflow, state string
	limit := 20
	cmd := &cobra.Command{
		Use: "list", Short: "List the runs of a project, the latest first", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			in, err := c.place(ctx)
			if err != nil {
				return err
			}
			fields := url.Values{"stateType": {strings.ToUpper(state)}}
			if workflow != "" {
				w, err := c.workflow(ctx, in, workflow)
				if err != nil {
					return err
				}
				fields.Set("workflowDefinitionCode", strconv.FormatInt(w.Code, 10))
			}
			rows, err := c.rows(ctx, in+"/workflow-instances", fields, limit)
			if err != nil {
				return err
			}
			return show(c, cmd, "RUN STATE STARTED TOOK BY NAME", rows, func(r run) []any {
				return []any{r.ID, r.State, r.Start, r.Duration, r.Executor, r.Name}
			})
		},
	}
	cmd.Flags().StringVar(&workflow, "workflow", "", "only of this workflow")
	offer(cmd, "workflow", func(ctx context.Context) []string { return c.workflowNames(ctx) })
	cmd.Flags().StringVar(&state, "state", "", "only in this state, such as FAILURE")
	offer(cmd, "state", func(context.Context) []string {
		var names []string
		for _, s := range flow.WorkflowStates() {
			names = append(names, string(s))
		}
		return names
	})
	cmd.Flags().IntVarP(&limit, "limit", "n", limit, "at most so many; 0 = all")
	return cmd
}

// workflowNames are those of the project; none when the server cannot be asked.
func (c *remote) workflowNames(ctx context.Context) []string {
	in, err := c.place(ctx)
	if err != nil {
		return nil
	}
	all, err := c.workflows(ctx, in)
	if err != nil {
		return nil
	}
	names := make([]string, len(all))
	for i, w := range all {
		names[i] = w.Name
	}
	return names
}

// find reads a run, in whichever project it is, and returns the path of the project.
func (c *remote) find(ctx context.Context, id int64) (in string, raw json.RawMessage, r run, err error) {
	if err := c.ready(); err != nil {
		return "", nil, r, err
	}
	if err := c.call(ctx, http.MethodGet, "/v2/workflow-instances/"+strconv.FormatInt(id, 10), nil, &raw); err != nil {
		return "", nil, r, err
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return "", nil, r, fmt.Errorf("understand the answer: %w", err)
	}
	return "/projects/" + strconv.FormatInt(r.ProjectCode, 10), raw, r, nil
}

// tasks lists the attempts of a run that count, and says in which state the run is.
func (c *remote) tasks(ctx context.Context, in string, id int64) (state flow.WorkflowState, rows []json.RawMessage, list []taskRun, err error) {
	var got struct {
		State flow.WorkflowState `json:"workflowInstanceState"`
		List  []json.RawMessage  `json:"taskList"`
	}
	if err := c.call(ctx, http.MethodGet, in+"/workflow-instances/"+strconv.FormatInt(id, 10)+"/tasks", nil, &got); err != nil {
		return "", nil, nil, err
	}
	list, err = each[taskRun](got.List)
	return got.State, got.List, list, err
}

func runShowCommand(c *remote) *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "Show a run and its tasks", Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			id, err := number(args[0])
			if err != nil {
				return err
			}
			in, raw, r, err := c.find(ctx, id)
			if err != nil {
				return err
			}
			_, rows, _, err := c.tasks(ctx, in, id)
			if err != nil {
				return err
			}
			if c.output == outputJSON {
				return printJSON(cmd, map[string]any{"run": raw, "tasks": rows})
			}
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			for _, line := range [][2]string{
				{"run", strconv.FormatInt(r.ID, 10)},
				{"name", r.Name},
				{"state", r.State},
				{"command", r.Command},
				{"by", r.Executor},
				{"started", r.Start},
				{"ended", r.End},
				{"took", r.Duration},
			} {
				if line[1] != "" {
					fmt.Fprintf(out, "%s\t%s\n", line[0], oneLine(line[1]))
				}
			}
			if err := out.Flush(); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout())
			return show(c, cmd, "TASK STATE TYPE STARTED TOOK RETRIES HOST", rows, func(t taskRun) []any {
				return []any{t.Name, t.State, t.Type, t.Start, t.Duration, t.Retries, t.Host}
			})
		},
	}
}

// operate does something to a run.
func (c *remote) operate(ctx context.Context, cmd *cobra.Command, arg string, op flow.Operation, wait bool) error {
	id, err := number(arg)
	if err != nil {
		return err
	}
	in, _, _, err := c.find(ctx, id)
	if err != nil {
		return err
	}
	fields := url.Values{"workflowInstanceId": {arg}, "executeType": {string(op)}}
	if err := c.call(ctx, http.MethodPost, in+"/executors/execute", fields, nil); err != nil {
		return err
	}
	if wait {
		return c.await(ctx, cmd.ErrOrStderr(), in, id)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d: asked to %s\n", id, cmd.Name())
	return nil
}

func operateCommand(c *remote, use, short string, op flow.Operation) *cobra.Command {
	return &cobra.Command{
		Use: use + " RUN...", Short: short, Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return every(cmd, args, func(arg string) error { return c.operate(cmd.Context(), cmd, arg, op, false) })
		},
	}
}

func rerunCommand(c *remote) *cobra.Command {
	var failed, wait bool
	cmd := &cobra.Command{
		Use: "rerun RUN...", Short: "Run ended runs again from the start, or from what failed", Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if wait && len(args) > 1 {
				return usageError{errors.New("--wait is for one run")}
			}
			op := flow.OpRerun
			if failed {
				op = flow.OpRecoverFailed
			}
			return every(cmd, args, func(arg string) error { return c.operate(cmd.Context(), cmd, arg, op, wait) })
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "only what failed, and what comes after it")
	cmd.Flags().BoolVarP(&wait, "wait", "w", false, "wait for the end of the run; exit code 1 unless it succeeds")
	return cmd
}
