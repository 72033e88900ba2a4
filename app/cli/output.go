package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// How lists are shown.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// printJSON writes what the server said, for programs.
func printJSON(cmd *cobra.Command, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), string(text))
	return err
}

// show writes rows, as JSON when that was asked for; line makes the columns of one.
func show[T any](c *remote, cmd *cobra.Command, header string, rows []json.RawMessage, line func(T) []any) error {
	if c.output == outputJSON {
		return printJSON(cmd, rows)
	}
	list, err := each[T](rows)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(out, strings.ReplaceAll(header, " ", "\t"))
	for _, row := range list {
		columns := line(row)
		for i, v := range columns {
			if i > 0 {
				fmt.Fprint(out, "\t")
			}
			if text := fmt.Sprint(v); text == "" {
				fmt.Fprint(out, "-")
			} else {
				fmt.Fprint(out, oneLine(text))
			}
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}

// oneLine keeps a name from breaking the table, or the terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// every does something for each argument; it goes on after a failure and returns how many failed.
func every(cmd *cobra.Command, args []string, do func(arg string) error) error {
	failed := 0
	var last error
	for _, arg := range args {
		if err := do(arg); err != nil {
			failed, last = failed+1, err
			if len(args) > 1 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", arg, err)
			}
		}
	}
	switch {
	case failed == 0:
		return nil
	case len(args) == 1:
		return fmt.Errorf("%s: %w", args[0], last)
	default:
		return fmt.Errorf("%d of %d failed", failed, len(args))
	}
}

// number reads an argument that is the number of a run.
func number(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, usageError{fmt.Errorf("%s is not the number of a run", text)}
	}
	return n, nil
}

// offerTime bounds what a shell waits for while somebody types.
const offerTime = 3 * time.Second

// offer completes the values of a flag.
func offer(cmd *cobra.Command, flag string, values func(ctx context.Context) []string) {
	complete := func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), offerTime)
		defer cancel()
		return values(ctx), cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag was added a line above
	}
}

// projectNames are the projects that the user sees; none when the server cannot be asked.
func (c *remote) projectNames(ctx context.Context) []string {
	if c.ready() != nil {
		return nil
	}
	var all []named
	if c.call(ctx, "GET", "/projects/list", nil, &all) != nil {
		return nil
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.Name
	}
	return names
}

// offerWorkflows completes arguments with the workflows of the project; many says that more than one can be named.
func (c *remote) offerWorkflows(many bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 && !many {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), offerTime)
		defer cancel()
		in, err := c.place(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := c.workflows(ctx, in)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := make([]string, 0, len(all))
		for _, w := range all {
			names = append(names, w.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
