package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
)

const referenceFile = "../../docs/cli.md"

// The reference of the command line is written by the program: go test ./app/cli -run Reference -update.
func TestTheReferenceNamesEveryCommandAndFlag(t *testing.T) {
	for _, name := range []string{"DORADO_CONFIG", "DORADO_SERVER", "DORADO_PROJECT"} { // they would stand there as defaults
		t.Setenv(name, "")
	}
	var out strings.Builder
	out.WriteString("# Command line\n\n" + referenceIntro)
	describe(&out, newRoot(&bytes.Buffer{}, &bytes.Buffer{}))
	if testkit.Updating() {
		require.NoError(t, os.WriteFile(referenceFile, []byte(out.String()), 0o644))
	}
	want, err := os.ReadFile(referenceFile)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String(), "docs/cli.md is out of date: go test ./app/cli -run Reference -update")
}

const referenceIntro = `Written by the program itself; a test compares.

Exit codes: 0 done, 1 failed (also a run that was waited for and was no success), 2 wrong usage. ` + "`dorado workflow diff`" + ` ends
with 1 when files differ and with 2 when they could not be compared.

Commands that talk to a server find it by ` + "`--server`, `DORADO_SERVER` or `dorado login`" + `, in this order, and the access token by
` + "`--token`, `DORADO_TOKEN` or `dorado login`" + `. ` + "`--output json`" + ` prints what the server said, for programs.

Completion for a shell, with the names of projects and workflows: ` + "`source <(dorado completion bash)`" + `, and the same for zsh, fish
and powershell.
`

// describe writes a command and those below it.
func describe(out *strings.Builder, cmd *cobra.Command) {
	if cmd.Runnable() || cmd.HasSubCommands() {
		fmt.Fprintf(out, "\n## %s\n\n", cmd.CommandPath())
		text := cmd.Long
		if text == "" {
			text = cmd.Short + "."
		}
		fmt.Fprintf(out, "%s\n\n```\n%s\n```\n", text, cmd.UseLine())
		flags(out, cmd.LocalNonPersistentFlags())
		flags(out, cmd.PersistentFlags())
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "completion" {
			describe(out, sub)
		}
	}
}

func flags(out *strings.Builder, set *pflag.FlagSet) {
	if usage := set.FlagUsages(); usage != "" {
		fmt.Fprintf(out, "\n```\n%s```\n", usage)
	}
}
