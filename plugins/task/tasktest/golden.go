package tasktest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/testkit"
	"dorado/plugins/task"
)

// Golden is one combination of settings whose command is written down.
type Golden struct {
	Name   string
	Params string              // taskParams, JSON
	Env    func(env *task.Env) // completes the environment; may be nil
}

// Commands compares what a plugin makes of each combination with testdata/commands.txt. The file is read like code: a
// change in it is a change in what clusters are told.
func Commands(t *testing.T, p task.Plugin, all []Golden) {
	t.Helper()
	var out strings.Builder
	for _, g := range all {
		values, problems := p.Decode([]byte(g.Params))
		require.Empty(t, problems, g.Name)
		env := task.Env{TaskInstanceID: 2, WorkflowInstanceID: 1, Dir: "/exec/2", Tenant: "etl"}
		if g.Env != nil {
			g.Env(&env)
		}
		fmt.Fprintf(&out, "==== %s\n%s\n", g.Name, g.Params)
		c, err := p.Process(values, env)
		if err != nil {
			fmt.Fprintf(&out, "---- error\n%v\n", err)
			continue
		}
		fmt.Fprintf(&out, "---- script\n%s", c.Script)
		for _, f := range c.Files {
			fmt.Fprintf(&out, "---- file %s\n%s\n", f.Name, strings.TrimSuffix(f.Text, "\n"))
		}
		if c.Remote != nil {
			fmt.Fprintf(&out, "---- remote %s\n%s\n", c.Remote.Pattern, c.Remote.Cancel)
			if c.Remote.Save != "" {
				fmt.Fprintf(&out, "---- savepoint %s\n%s\n", c.Remote.Saved, c.Remote.Save)
			}
		}
	}
	testkit.Golden(t, "commands.txt", out.String())
}

// recorder prints its name and its arguments, one a line, and a line in which YARN, Flink and Kubernetes would name the
// work. An argument "fails" makes it fail, "sleeps" makes it take minutes; so does a file with such a word.
const recorder = `#!/bin/sh
echo "program ${0##*/}"
for a; do printf 'arg <%s>\n' "$a"; done
echo "Submitted application application_1700000000000_0001"
for a; do
  [ ! -f "$a" ] || a=$(grep -o -w -e fails -e sleeps "$a" | head -n 1)
  case $a in fails) exit 3 ;; sleeps) sleep 300 & wait ;; esac
done
`

// Launchers writes programs of these names that only tell how they were called, and returns the folder above: a name may be
// a path in it. Parameters that are to reach a program may hold what a shell would read.
func Launchers(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(recorder), 0o755))
	}
	return dir
}

// Args is what a launcher prints for these arguments.
func Args(args ...string) string {
	var out strings.Builder
	for _, a := range args {
		out.WriteString("arg <" + a + ">\n")
	}
	return out.String()
}
