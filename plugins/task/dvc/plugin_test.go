package dvc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/task"
	"dorado/plugins/task/dvc"
	"dorado/plugins/task/tasktest"
)

func TestDVC(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Suite{
		Plugin: dvc.Plugin(),
		Path:   tasktest.Launchers(t, "dvc"),
		Cases: []tasktest.Case{
			{
				Name: "fetches data", Params: `{"dvcTaskType":"Download","dvcRepository":"git@h:my repo","dvcDataLocation":"数据","dvcLoadSaveDataPath":"it's $(id)","dvcVersion":"v1"}`,
				Output: "program dvc\n" + tasktest.Args("get", "git@h:my repo", "数据", "-o", "it's $(id)", "-v", "--rev", "v1"),
			},
			{Name: "fails with the program", Params: `{"dvcTaskType":"Download","dvcRepository":"fails","dvcDataLocation":"a","dvcLoadSaveDataPath":"b","dvcVersion":"v1"}`, Fails: true},
			{Name: "fails with git", Params: `{"dvcTaskType":"Init DVC","dvcRepository":"/nowhere","dvcStoreUrl":"/s"}`, Output: "nowhere", Fails: true},
		},
		Bad: []string{
			`{"dvcRepository":"a"}`, `{"dvcTaskType":"Init DVC","dvcRepository":"a"}`, `{"dvcTaskType":"Copy","dvcRepository":"a"}`,
			`{"dvcTaskType":"Download","dvcRepository":"a","dvcDataLocation":"b","dvcLoadSaveDataPath":"c"}`,
		},
		Slow: `{"dvcTaskType":"Download","dvcRepository":"sleeps","dvcDataLocation":"a","dvcLoadSaveDataPath":"b","dvcVersion":"v1"}`,
	})
}

func TestTheStepsAreDolphinSchedulers(t *testing.T) {
	t.Parallel()
	tasktest.Commands(t, dvc.Plugin(), []tasktest.Golden{
		{Name: "upload", Params: `{"dvcTaskType":"Upload","dvcRepository":"git@example.org:a/b.git","dvcDataLocation":"iris","dvcLoadSaveDataPath":"/data/iris","dvcVersion":"v1","dvcMessage":"it's new"}`},
		{Name: "download", Params: `{"dvcTaskType":"Download","dvcRepository":"git@example.org:a/b.git","dvcDataLocation":"iris","dvcLoadSaveDataPath":"/data/iris","dvcVersion":"v1"}`},
		{Name: "init", Params: `{"dvcTaskType":"Init DVC","dvcRepository":"git@example.org:a/b.git","dvcStoreUrl":"~/my store"}`},
	})
}

// TestAVersionIsPushed lets git work for real; dvc itself is a program that only tells how it was called.
func TestAVersionIsPushed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	require.NoError(t, os.Mkdir(bin, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "dvc"), []byte("#!/bin/sh\necho \"$@\" >> notes && git add notes\n"), 0o755))
	run := func(name string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GIT_CONFIG_GLOBAL="+filepath.Join(dir, "gitconfig"))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	run("git", "config", "--file", filepath.Join(dir, "gitconfig"), "user.name", "a")
	run("git", "config", "--file", filepath.Join(dir, "gitconfig"), "user.email", "a@b")
	run("git", "init", "-q", "--bare", "origin.git")
	command := func(params string) string {
		values, problems := dvc.Plugin().Decode([]byte(params))
		require.Empty(t, problems)
		c, err := dvc.Plugin().Process(values, task.Env{})
		require.NoError(t, err)
		return c.Script
	}
	run("bash", "-c", command(`{"dvcTaskType":"Init DVC","dvcRepository":"origin.git","dvcStoreUrl":"/store"}`))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "dvc-repository")))
	run("bash", "-c", command(`{"dvcTaskType":"Upload","dvcRepository":"origin.git","dvcDataLocation":"iris","dvcLoadSaveDataPath":"/data/我的","dvcVersion":"v1","dvcMessage":"it's new"}`))
	require.Contains(t, run("git", "--git-dir", "origin.git", "log", "-1", "--format=%s", "v1"), "it's new")
	require.Contains(t, run("git", "--git-dir", "origin.git", "show", "v1:notes"), "add /data/我的 -v -o iris --to-remote")
}
