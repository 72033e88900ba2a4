package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dorado/modules/flow"
	flowtext "dorado/modules/flow/text"
)

// exit ends the program with a code of its own; without an error nothing more is said.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

func workflowCommand() *cobra.Command {
	c := &remote{}
	cmd := &cobra.Command{
		Use: "workflow", Short: "List, run and release workflows; export, import and compare them as YAML files", Args: cobra.NoArgs,
		Long: "Workflows, and workflows as YAML files for Git and for scripts. The commands talk to a server with the access token of a user.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.flags(cmd)
	cmd.AddCommand(
		listCommand(c), exportCommand(c), importCommand(c), diffCommand(c), runCommand(c),
		releaseCommand(c, "online", "Put workflows online: they can run, and their schedules too", flow.Online),
		releaseCommand(c, "offline", "Take workflows offline, with their schedules; what runs goes on", flow.Offline),
	)
	return cmd
}

func listCommand(c *remote) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the workflows of a project", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := c.place(cmd.Context())
			if err != nil {
				return err
			}
			rows, err := c.rows(cmd.Context(), in+"/workflow-definition", nil, 0)
			if err != nil {
				return err
			}
			if c.output == outputJSON {
				return printJSON(cmd, rows)
			}
			all, err := each[named](rows)
			if err != nil {
				return err
			}
			slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.Name, b.Name) })
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			for _, w := range all {
				fmt.Fprintf(out, "%s\tv%d\t%s\t%d\n", w.Name, w.Version, strings.ToLower(w.ReleaseState), w.Code)
			}
			return out.Flush()
		},
	}
}

func exportCommand(c *remote) *cobra.Command {
	var all, codes, noLayout, noSchedules bool
	var to string
	cmd := &cobra.Command{
		Use: "export [NAME...]", Short: "Write workflows as YAML, to standard output or into a folder", Args: cobra.ArbitraryArgs, ValidArgsFunction: c.offerWorkflows(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) != all {
				return usageError{errors.New("name the workflows, or give --all")}
			}
			if to == "" && (all || len(args) > 1) {
				return usageError{errors.New("several workflows need a folder: --output DIR")}
			}
			ctx := cmd.Context()
			in, err := c.place(ctx)
			if err != nil {
				return err
			}
			if all {
				found, err := c.workflows(ctx, in)
				if err != nil {
					return err
				}
				for _, w := range found {
					args = append(args, strconv.FormatInt(w.Code, 10))
				}
			}
			written := map[string]string{}
			for _, name := range args {
				got, err := c.export(ctx, in, name, codes, !noLayout, !noSchedules)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				if to == "" {
					_, err = io.WriteString(cmd.OutOrStdout(), got.YAML)
					return err
				}
				file := filepath.Join(to, fileOf(got.Name))
				if other, twice := written[strings.ToLower(file)]; twice {
					return fmt.Errorf("%s and %s would both be written to %s", other, got.Name, file)
				}
				written[strings.ToLower(file)] = got.Name
				if err := writeFile(file, got.YAML); err != nil {
					return err
				}
				fmt.Fprintln(cmd.ErrOrStderr(), file)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all workflows of the project")
	cmd.Flags().StringVarP(&to, "output", "o", "", "folder to write NAME.yaml files to")
	cmd.Flags().BoolVar(&codes, "codes", false, "write the numbers of tasks, so that a renamed one is still the same")
	cmd.Flags().BoolVar(&noSchedules, "no-schedules", false, "leave out when the workflows start by the clock")
	cmd.Flags().BoolVar(&noLayout, "no-layout", false, "leave out where the editor draws the tasks")
	return cmd
}

type exported struct {
	Code    int64  `json:"code"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	YAML    string `json:"yaml"`
}

func (c *remote) export(ctx context.Context, in, name string, codes, layout, schedules bool) (exported, error) {
	w, err := c.workflow(ctx, in, name)
	if err != nil {
		return exported{}, err
	}
	var got exported
	fields := url.Values{"codes": {strconv.FormatBool(codes)}, "layout": {strconv.FormatBool(layout)}, "schedules": {strconv.FormatBool(schedules)}}
	err = c.call(ctx, http.MethodGet, in+"/workflow-definition/"+strconv.FormatInt(w.Code, 10)+"/yaml", fields, &got)
	return got, err
}

// fileOf is the file of a workflow.
func fileOf(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	if strings.Trim(name, ". ") == "" {
		name = "workflow"
	}
	return strings.TrimLeft(name, ".") + ".yaml"
}

// writeFile replaces a file whole or not at all.
func writeFile(file, content string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // a folder of sources, as Git makes them
		return fmt.Errorf("make folder: %w", err)
	}
	part, err := os.CreateTemp(filepath.Dir(file), ".dorado-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	_, err = part.WriteString(content)
	err = errors.Join(err, part.Chmod(0o644), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", file, err), os.Remove(part.Name()))
	}
	return nil
}

// readSource reads a file, "-" for standard input.
func readSource(cmd *cobra.Command, file string) (string, error) {
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err //nolint:wrapcheck // says which file, and why
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, flowtext.MaxBytes+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	if len(raw) > flowtext.MaxBytes {
		return "", fmt.Errorf("%s is larger than %d MB", file, flowtext.MaxBytes>>20)
	}
	return string(raw), nil
}

// imported is what the server says of an import.
type imported struct {
	named
	Created  bool `json:"created"`
	Changed  bool `json:"changed"`
	Problems []struct {
		Line     int    `json:"line"`
		Column   int    `json:"column"`
		Message  string `json:"message"`
		Severity string `json:"severity"`
	} `json:"problems"`
}

func importCommand(c *remote) *cobra.Command {
	var dry, online bool
	var message string
	cmd := &cobra.Command{
		Use: "import FILE...", Short: "Save YAML files as new workflows or new versions; - is standard input", Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			in, err := c.place(ctx)
			if err != nil {
				return err
			}
			failed := 0
			for _, file := range args {
				if err := c.importFile(ctx, cmd, in, file, dry, online, message); err != nil {
					failed++
					fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", file, err)
				}
			}
			if failed > 0 {
				return fmt.Errorf("%d of %d files were not imported", failed, len(args))
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&dry, "dry-run", "n", false, "only say what would happen")
	cmd.Flags().BoolVar(&online, "online", false, "put the new version online; else it stays offline")
	cmd.Flags().StringVarP(&message, "message", "m", "", "what the version list says about it")
	return cmd
}

func (c *remote) importFile(ctx context.Context, cmd *cobra.Command, in, file string, dry, online bool, message string) error {
	src, err := readSource(cmd, file)
	if err != nil {
		return err
	}
	send := func(dry bool) (imported, error) {
		fields := url.Values{"yaml": {src}, "message": {message}, "dryRun": {strconv.FormatBool(dry)}}
		if online {
			fields.Set("releaseState", "ONLINE")
		}
		var got imported
		err := c.call(ctx, http.MethodPost, in+"/workflow-definition/yaml", fields, &got)
		return got, err
	}
	got, err := send(true)
	if err != nil {
		return err
	}
	errorsFound := 0
	for _, p := range got.Problems {
		if p.Severity == "error" {
			errorsFound++
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "%s:%d:%d: %s: %s\n", file, p.Line, p.Column, p.Severity, p.Message)
	}
	if errorsFound > 0 {
		return fmt.Errorf("%d errors", errorsFound)
	}
	if !dry {
		if got, err = send(false); err != nil {
			return err
		}
	}
	did := "changed"
	switch {
	case got.Created:
		did = "new"
	case !got.Changed:
		did = "same"
	}
	if dry {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", got.Name, did)
		return nil
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, version %d, %s\n", got.Name, did, got.Version, strings.ToLower(got.ReleaseState))
	return nil
}

func diffCommand(c *remote) *cobra.Command {
	return &cobra.Command{
		Use: "diff FILE...", Short: "Compare YAML files with the server: exit code 0 same, 1 different, 2 failed", Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			in, err := c.place(ctx)
			if err != nil {
				return exit{2, err}
			}
			there, err := c.workflows(ctx, in)
			if err != nil {
				return exit{2, err}
			}
			different := false
			for _, file := range args {
				text, err := c.diff(ctx, cmd, in, file, there)
				if err != nil {
					return exit{2, fmt.Errorf("%s: %w", file, err)}
				}
				different = different || text != ""
				if _, err := io.WriteString(cmd.OutOrStdout(), text); err != nil {
					return exit{2, err}
				}
			}
			if different {
				return exit{code: 1}
			}
			return nil
		},
	}
}

func (c *remote) diff(ctx context.Context, cmd *cobra.Command, in, file string, there []named) (string, error) {
	src, err := readSource(cmd, file)
	if err != nil {
		return "", err
	}
	name := flowtext.NameOf([]byte(src))
	at := slices.IndexFunc(there, func(w named) bool { return w.Name == name })
	if at < 0 {
		return flowtext.Unified("", src, "/dev/null", file), nil
	}
	var got exported
	fields := url.Values{"layout": {strconv.FormatBool(flowtext.HasLayout([]byte(src)))}, "schedules": {strconv.FormatBool(flowtext.HasSchedules([]byte(src)))}}
	if err := c.call(ctx, http.MethodGet, in+"/workflow-definition/"+strconv.FormatInt(there[at].Code, 10)+"/yaml", fields, &got); err != nil {
		return "", err
	}
	return flowtext.Unified(got.YAML, src, fmt.Sprintf("%s (version %d)", got.Name, got.Version), file), nil
}

func runCommand(c *remote) *cobra.Command {
	var wait, dry bool
	var params []string
	cmd := &cobra.Command{
		Use: "run NAME", Short: "Start an online workflow and print the number of the run", Args: usageArgs(cobra.ExactArgs(1)), ValidArgsFunction: c.offerWorkflows(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			start := make([]flow.Property, 0, len(params))
			for _, p := range params {
				name, value, ok := strings.Cut(p, "=")
				if !ok || name == "" {
					return usageError{fmt.Errorf("--param %s: write name=value", p)}
				}
				start = append(start, flow.Property{Prop: name, Direct: flow.In, Type: flow.Varchar, Value: value})
			}
			in, err := c.place(ctx)
			if err != nil {
				return err
			}
			w, err := c.workflow(ctx, in, args[0])
			if err != nil {
				return err
			}
			text, err := json.Marshal(start)
			if err != nil {
				return fmt.Errorf("encode parameters: %w", err)
			}
			now := time.Now().Format(time.DateTime)
			fields := url.Values{
				"workflowDefinitionCode": {strconv.FormatInt(w.Code, 10)}, "failureStrategy": {string(flow.FailureContinue)}, "warningType": {string(flow.WarningNone)},
				"scheduleTime": {`{"complementStartDate":"` + now + `","complementEndDate":"` + now + `"}`}, "startParams": {string(text)},
				"execType": {string(flow.CommandStart)}, "dryRun": {map[bool]string{true: "1", false: "0"}[dry]},
			}
			var ids []int64
			if err := c.call(ctx, http.MethodPost, in+"/executors/start-workflow-instance", fields, &ids); err != nil {
				return err
			}
			if len(ids) == 0 {
				return errors.New("the server started nothing")
			}
			if c.output == outputJSON {
				err = printJSON(cmd, map[string]int64{"id": ids[0]})
			} else {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), ids[0])
			}
			if err != nil || !wait {
				return err
			}
			return c.await(ctx, cmd.ErrOrStderr(), in, ids[0])
		},
	}
	cmd.Flags().BoolVarP(&wait, "wait", "w", false, "wait for the end of the run; exit code 1 unless it succeeds")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "let every task succeed without running it")
	cmd.Flags().StringArrayVar(&params, "param", nil, "start parameter, as name=value; repeat for more")
	return cmd
}

// releaseCommand puts workflows online or takes them offline.
func releaseCommand(c *remote, use, short string, state flow.ReleaseState) *cobra.Command {
	return &cobra.Command{
		Use: use + " NAME...", Short: short, Args: usageArgs(cobra.MinimumNArgs(1)), ValidArgsFunction: c.offerWorkflows(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			in, err := c.place(ctx)
			if err != nil {
				return err
			}
			return every(cmd, args, func(name string) error {
				w, err := c.workflow(ctx, in, name)
				if err != nil {
					return err
				}
				path := in + "/workflow-definition/" + strconv.FormatInt(w.Code, 10) + "/release"
				if err := c.call(ctx, http.MethodPost, path, url.Values{"releaseState": {string(state)}}, nil); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", name, strings.ToLower(string(state)))
				return nil
			})
		},
	}
}

// await asks for the state of a run until it has ended.
func (c *remote) await(ctx context.Context, out io.Writer, in string, id int64) error {
	pause := 100 * time.Millisecond
	last := ""
	for {
		var run struct {
			State string `json:"state"`
		}
		if err := c.call(ctx, http.MethodGet, in+"/workflow-instances/"+strconv.FormatInt(id, 10), url.Values{"dag": {"false"}}, &run); err != nil {
			return err
		}
		if run.State != last {
			fmt.Fprintln(out, run.State)
			last = run.State
		}
		state := flow.WorkflowState(run.State)
		switch {
		case state == flow.WorkflowSuccess:
			return nil
		case state.Finished():
			return fmt.Errorf("run %d ended as %s", id, run.State)
		}
		select {
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // interrupted by the user
		case <-time.After(pause):
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// usageArgs makes a wrong number of arguments a wrong usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
