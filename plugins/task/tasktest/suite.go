package tasktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/i18n"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Case is one run of a plugin.
type Case struct {
	Name   string
	Params string // taskParams, JSON
	Output string // what the log must contain
	Fails  bool   // the run ends with a non-zero exit code or an error
}

// Save is one savepoint of remote work that goes on.
type Save struct {
	Name   string
	Params string   // taskParams, JSON
	IDs    string   // the work, separated by blanks
	Output string   // what the program must print
	Saved  []string // where the states lie, as the plugin's pattern finds it; others are no matter
	Fails  bool     // the script ends with a non-zero exit code
}

// Suite says how to try one plugin. Run it from the plugin's folder: it reads README.md and testdata/*.json there.
type Suite struct {
	Plugin task.Plugin
	// Definitions is the pattern of the files that hold definitions of this type; "" is testdata/*.json.
	Definitions string
	Cases       []Case
	Bad         []string // settings that must be refused, besides those every plugin refuses
	Slow        string   // settings of work that takes minutes unless it is cancelled
	Saves       []Save   // how savepoints are taken, for plugins whose remote work has them
	// Env completes the environment of each run: data sources, files, parameters. May be nil. It has Dir, Log and the two ids.
	Env func(t *testing.T, env *task.Env)
	// Path is put before PATH for commands, for programs that stand for real ones; Vars, as name=value, are added for them.
	Path string
	Vars []string
	// Marked are settings of a plugin whose texts have a form: they hold the word hunter2 where others may not see it. ""
	// puts it into every text.
	Marked string
}

// Run tries the plugin.
func Run(t *testing.T, s Suite) {
	t.Helper()
	t.Run("describes itself in every language", s.describes)
	t.Run("shows its parameters in the README", s.readme)
	t.Run("loads every definition it ever loaded", s.definitions)
	t.Run("refuses bad settings by name", s.refuses)
	if s.Plugin.Logic {
		return // nothing runs
	}
	t.Run("keeps its text out of the process list", s.discreet)
	for _, c := range s.Cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			log, err := s.execute(t.Context(), t, c.Params)
			require.Equal(t, c.Fails, err != nil, "log: %s, error: %v", log, err)
			require.Contains(t, log, c.Output)
		})
	}
	for _, c := range s.Saves {
		t.Run("savepoint: "+c.Name, func(t *testing.T) {
			t.Parallel()
			s.saves(t, c)
		})
	}
	t.Run("ends soon after it is cancelled", s.cancels)
}

// saves runs the script of a savepoint as the executor would.
func (s Suite) saves(t *testing.T, c Save) {
	values, problems := s.Plugin.Decode([]byte(c.Params))
	require.Empty(t, problems)
	env := task.Env{TaskInstanceID: 2, WorkflowInstanceID: 1, Dir: t.TempDir()}
	if s.Env != nil {
		s.Env(t, &env)
		env.Log = nil
	}
	command, err := s.Plugin.Process(values, env)
	require.NoError(t, err)
	require.NotNil(t, command.Remote)
	require.NotEmpty(t, command.Remote.Save, "there is no script for savepoints")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command.Remote.Save)
	cmd.Dir, cmd.Env = env.Dir, slices.Concat(os.Environ(), s.Vars, command.Env, []string{"DORADO_REMOTE_IDS=" + c.IDs})
	if s.Path != "" {
		cmd.Env = append(cmd.Env, "PATH="+s.Path+":"+os.Getenv("PATH"))
	}
	out, err := cmd.CombinedOutput()
	require.Equal(t, c.Fails, err != nil, "output: %s, error: %v", out, err)
	require.Contains(t, string(out), c.Output)
	var saved []string
	for _, m := range regexp.MustCompile(command.Remote.Saved).FindAllStringSubmatch(string(out), -1) {
		saved = append(saved, m[len(m)-1])
	}
	if len(c.Saved) == 0 {
		require.Empty(t, saved)
	}
	require.Subset(t, saved, c.Saved)
}

func (s Suite) describes(t *testing.T) {
	require.NoError(t, s.Plugin.Validate())
	for _, key := range s.Plugin.Keys() {
		require.True(t, i18n.Has(key), "no catalogue has %q", key)
		for _, l := range i18n.Locales() {
			require.NotEqual(t, key, i18n.T(i18n.WithLocale(t.Context(), l), key), "%s has no %q", l, key)
		}
	}
	raw, err := json.Marshal(s.Plugin.Describe(func(key string) string { return key }))
	require.NoError(t, err)
	require.Contains(t, string(raw), `"fields":[{`)
}

func (s Suite) readme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	table := s.Plugin.Schema.Markdown(func(key string) string { return i18n.T(t.Context(), key) })
	require.Contains(t, string(readme), table, "README.md must hold this table")
}

func (s Suite) definitions(t *testing.T) {
	pattern := s.Definitions
	if pattern == "" {
		pattern = "testdata/*.json"
	}
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, "testdata needs a definition that must keep loading")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var definition struct {
			TaskType   string          `json:"taskType"`
			TaskParams json.RawMessage `json:"taskParams"`
		}
		require.NoError(t, json.Unmarshal(raw, &definition), file)
		require.Contains(t, append([]string{s.Plugin.Type}, s.Plugin.Also...), definition.TaskType, file)
		_, problems := s.Plugin.Decode(definition.TaskParams)
		require.Empty(t, problems, file)
	}
}

func (s Suite) refuses(t *testing.T) {
	bad := append([]string{``, `{}`, `[]`, `"x"`, `7`, `{`, "\xff", `{"localParams":7}`, `{"localParams":[{"prop":""}]}`, `{"resourceList":[{}]}`}, s.Bad...)
	for _, raw := range bad {
		_, problems := s.Plugin.Decode([]byte(raw))
		require.NotEmpty(t, problems, "accepted: %s", raw)
		for _, p := range problems {
			require.True(t, i18n.Has(p.Key), "no catalogue has %q", p.Key)
		}
	}
}

// discreet looks for a marker, put into every text field, where any user of the machine could read it.
func (s Suite) discreet(t *testing.T) {
	if s.Plugin.Process == nil {
		return
	}
	const marker = "hunter2"
	values := form.Values{}
	for _, f := range s.Plugin.Schema {
		switch f.Type {
		case form.Text, form.TextArea, form.Code, form.Secret:
			values[f.Name] = marker
		case form.Number, form.Select, form.MultiSelect, form.Switch, form.KeyValues, form.Params, form.Resources,
			form.Workflow, form.Outcomes, form.Conditions, form.Cases, form.Dependence, form.Lists, form.Resource, form.Source,
			form.AlertGroup, form.Texts, form.Table:
			values[f.Name] = f.Default
		}
	}
	if s.Marked != "" {
		var problems []form.Problem
		values, problems = s.Plugin.Decode([]byte(s.Marked))
		require.Empty(t, problems)
		require.Contains(t, s.Marked, marker)
	}
	env := task.Env{TaskInstanceID: 2, WorkflowInstanceID: 1, Dir: t.TempDir()}
	if s.Env != nil {
		s.Env(t, &env)
		env.Log = nil
	}
	c, err := s.Plugin.Process(values, env)
	require.NoError(t, err)
	require.NotEmpty(t, c.Interpreter)
	require.NotContains(t, strings.Join(append(c.Interpreter, c.File, c.Launcher), " "), marker)
	require.Equal(t, filepath.Base(c.File+"x"), c.File+"x", "a script file lies in the working directory itself")
}

func (s Suite) cancels(t *testing.T) {
	require.NotEmpty(t, s.Slow, "say which settings take minutes")
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := s.execute(ctx, t, s.Slow)
	require.Error(t, err)
	require.Less(t, time.Since(start), 5*time.Second)
}

// execute does the work of the plugin once, without any of the executor's care, and returns what it logged.
func (s Suite) execute(ctx context.Context, t *testing.T, raw string) (string, error) {
	t.Helper()
	p := s.Plugin
	values, problems := p.Decode([]byte(raw))
	require.Empty(t, problems)
	var log bytes.Buffer
	env := task.Env{TaskInstanceID: 2, WorkflowInstanceID: 1, Dir: t.TempDir(), Log: &log}
	if s.Env != nil {
		s.Env(t, &env)
	}
	if p.Run != nil {
		_, err := p.Run(ctx, values, env)
		return log.String(), err
	}
	c, err := p.Process(values, env)
	require.NoError(t, err)
	name := c.File
	if name == "" {
		name = "script"
	}
	require.NoError(t, os.WriteFile(filepath.Join(env.Dir, name), []byte(c.Script), 0o600))
	for _, f := range c.Files {
		require.Equal(t, filepath.Base(f.Name), f.Name, "files lie in the working directory itself")
		require.NoError(t, os.WriteFile(filepath.Join(env.Dir, f.Name), []byte(f.Text), 0o600))
	}
	var program string
	for _, candidate := range c.Interpreter {
		if program, err = exec.LookPath(candidate); err == nil {
			break
		}
	}
	require.NoError(t, err, "none of %v is installed", c.Interpreter)
	cmd := exec.CommandContext(ctx, program, name)
	cmd.Dir, cmd.Env = env.Dir, slices.Concat(os.Environ(), s.Vars, c.Env)
	if s.Path != "" {
		cmd.Env = append(cmd.Env, "PATH="+s.Path+":"+os.Getenv("PATH"))
	}
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	return log.String(), errors.Join(err, ctx.Err())
}
