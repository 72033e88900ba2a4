package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"dorado/modules/flow"
)

// plan is a backfill.
type plan struct {
	ID       int64          `json:"id"`
	Workflow string         `json:"workflowDefinitionName"`
	State    string         `json:"state"`
	Width    int            `json:"width"`
	User     string         `json:"userName"`
	Dates    map[string]int `json:"dates"`
	Created  string         `json:"createTime"`
}

// counts are the dates by state, such as "SUCCEEDED 3, WAITING 4".
func (p plan) counts() string {
	var parts []string
	for state, n := range p.Dates {
		if n > 0 {
			parts = append(parts, state+" "+strconv.Itoa(n))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func backfillCommand() *cobra.Command {
	c := &remote{}
	cmd := &cobra.Command{
		Use: "backfill", Short: "Run a workflow for past dates, and look after that", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.flags(cmd)
	cmd.AddCommand(backfillCreateCommand(c), backfillListCommand(c), backfillCancelCommand(c))
	return cmd
}

func backfillCreateCommand(c *remote) *cobra.Command {
	var from, to, dates string
	var dry bool
	width := 1
	cmd := &cobra.Command{
		Use: "create WORKFLOW", Short: "Run an online workflow for the dates of its schedule in a range, or for dates", Args: usageArgs(cobra.ExactArgs(1)),
		Long: "Run an online workflow for the dates of its schedule between --from and --to, both included, or for the --dates of a list.\n" +
			"Dates are written as 2026-01-31 or \"2026-01-31 12:00:00\", in the time zone of the user.",
		ValidArgsFunction: c.offerWorkflows(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (dates == "") == (from == "" && to == "") {
				return usageError{errors.New("give --from and --to, or --dates")}
			}
			if dates == "" && (from == "" || to == "") {
				return usageError{errors.New("a range has two ends: --from and --to")}
			}
			when := map[string]string{"complementStartDate": from, "complementEndDate": to}
			if dates != "" {
				when = map[string]string{"complementScheduleDateList": dates}
			}
			text, err := json.Marshal(when)
			if err != nil {
				return fmt.Errorf("encode dates: %w", err)
			}
			ctx := cmd.Context()
			in, err := c.place(ctx)
			if err != nil {
				return err
			}
			w, err := c.workflow(ctx, in, args[0])
			if err != nil {
				return err
			}
			fields := url.Values{
				"workflowDefinitionCode": {strconv.FormatInt(w.Code, 10)}, "failureStrategy": {string(flow.FailureContinue)}, "warningType": {string(flow.WarningNone)},
				"scheduleTime": {string(text)}, "execType": {string(flow.CommandBackfill)}, "dryRun": {map[bool]string{true: "1", false: "0"}[dry]},
				"runMode": {"RUN_MODE_PARALLEL"}, "expectedParallelismNumber": {strconv.Itoa(width)}, "executionOrder": {"ASC_ORDER"},
			}
			var ids []int64
			if err := c.call(ctx, http.MethodPost, in+"/executors/start-workflow-instance", fields, &ids); err != nil {
				return err
			}
			if c.output == outputJSON {
				return printJSON(cmd, map[string]any{"runs": ids})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "started; first runs: %s\n", strings.Trim(fmt.Sprint(ids), "[]"))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "first date")
	f.StringVar(&to, "to", "", "last date")
	f.StringVar(&dates, "dates", "", "dates instead of a range, separated by commas")
	f.IntVar(&width, "parallel", width, "how many dates run at once; 0 = all")
	f.BoolVar(&dry, "dry-run", false, "let every task succeed without running it")
	return cmd
}

func backfillListCommand(c *remote) *cobra.Command {
	limit := 20
	cmd := &cobra.Command{
		Use: "list", Short: "List the backfills of a project, the latest first", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := c.place(cmd.Context())
			if err != nil {
				return err
			}
			rows, err := c.rows(cmd.Context(), in+"/backfills", nil, limit)
			if err != nil {
				return err
			}
			return show(c, cmd, "BACKFILL STATE WORKFLOW BEGUN BY DATES", rows, func(p plan) []any {
				return []any{p.ID, p.State, p.Workflow, p.Created, p.User, p.counts()}
			})
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", limit, "at most so many; 0 = all")
	return cmd
}

func backfillCancelCommand(c *remote) *cobra.Command {
	var stop bool
	cmd := &cobra.Command{
		Use: "cancel BACKFILL...", Short: "Take out the dates that wait; what runs goes on", Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := c.place(cmd.Context())
			if err != nil {
				return err
			}
			return every(cmd, args, func(arg string) error {
				id, err := number(arg)
				if err != nil {
					return err
				}
				var p plan
				path := in + "/backfills/" + strconv.FormatInt(id, 10) + "/cancel"
				if err := c.call(cmd.Context(), http.MethodPost, path, url.Values{"stopRuns": {strconv.FormatBool(stop)}}, &p); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d: %s\n", id, p.counts())
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&stop, "stop", false, "also stop the runs under way")
	return cmd
}
