package catalog_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/i18n"
	"dorado/plugins/catalog"
	"dorado/plugins/task"
	"dorado/plugins/task/shell"
)

func builtin(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Builtin()
	require.NoError(t, err)
	return c
}

func TestEveryPluginFolderIsListedAndDocumented(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, p := range builtin(t).Tasks() {
		if !p.Logic && !p.Foreign { // those share a folder
			listed[strings.ToLower(p.Type)] = true
		}
	}
	folders, err := filepath.Glob("../task/*/plugin.go")
	require.NoError(t, err)
	require.Len(t, folders, len(listed))
	for _, file := range folders {
		dir := filepath.Dir(file)
		require.True(t, listed[filepath.Base(dir)], "%s is not in the catalogue", dir)
		for _, name := range []string{"README.md", "doc.go", "plugin_test.go", "testdata"} {
			_, err := os.Stat(filepath.Join(dir, name))
			require.NoError(t, err, "%s needs %s", dir, name)
		}
	}
}

func TestEveryLabelIsTranslated(t *testing.T) {
	t.Parallel()
	for _, p := range builtin(t).Tasks() {
		for _, key := range p.Keys() {
			for _, l := range i18n.Locales() {
				require.NotEqual(t, key, i18n.T(i18n.WithLocale(t.Context(), l), key), "%s: %s", l, key)
			}
		}
	}
}

func TestParametersAreCheckedByTheirPlugin(t *testing.T) {
	t.Parallel()
	c := builtin(t)
	require.Empty(t, c.CheckParams("SHELL", json.RawMessage(`{"rawScript":"ls"}`)))
	require.Equal(t, "form.required", c.CheckParams("PYTHON", json.RawMessage(`{}`))[0].Key)
	require.Equal(t, "task.unknown_type", c.CheckParams("COBOL", json.RawMessage(`{}`))[0].Key)
}

func TestEveryTypeOfDolphinSchedulerMayBeInADefinition(t *testing.T) {
	t.Parallel()
	c := builtin(t)
	for _, name := range []string{
		"SHELL", "JAVA", "PYTHON", "PROCEDURE", "SQL", "SPARK", "FLINK", "HTTP", "MR", "DINKY", "FLINK_STREAM", "HIVECLI", "REMOTESHELL",
		"EMR", "K8S", "DMS", "DATA_FACTORY", "ALIYUN_SERVERLESS_SPARK", "SUB_WORKFLOW", "SUB_PROCESS", "DEPENDENT", "CONDITIONS", "SWITCH",
		"DYNAMIC", "SEATUNNEL", "DATAX", "SQOOP", "DATA_QUALITY", "JUPYTER", "MLFLOW", "OPENMLDB", "DVC", "SAGEMAKER", "PYTORCH", "KUBEFLOW",
		"ZEPPELIN", "CHUNJUN", "DATASYNC", "LINKIS",
	} {
		_, ok := c.Task(name)
		require.True(t, ok, name)
	}
	require.Empty(t, c.CheckParams("SPARK", json.RawMessage(`{"mainJar":{"id":3},"resourceList":[{"id":3}]}`)))
}

func TestAnIncompleteOrRepeatedPluginIsRefused(t *testing.T) {
	t.Parallel()
	_, err := catalog.New([]task.Plugin{shell.Plugin(), shell.Plugin()})
	require.ErrorContains(t, err, "listed twice")
	p := shell.Plugin()
	p.Run, p.Process = nil, nil
	_, err = catalog.New([]task.Plugin{p})
	require.ErrorContains(t, err, "exactly one of")
	p = shell.Plugin()
	p.Schema = p.Schema[:1]
	_, err = catalog.New([]task.Plugin{p})
	require.ErrorContains(t, err, "localParams")
}

func TestAnOlderNameOfATypeIsStillRead(t *testing.T) {
	t.Parallel()
	p, ok := builtin(t).Task("SUB_PROCESS")
	require.True(t, ok)
	require.Equal(t, "SUB_WORKFLOW", p.Type)
	require.Empty(t, builtin(t).CheckParams("SUB_PROCESS", json.RawMessage(`{"processDefinitionCode":12345678901234}`)))
	twin := shell.Plugin()
	twin.Type, twin.Also = "BASH", []string{"SHELL"}
	_, err := catalog.New([]task.Plugin{shell.Plugin(), twin})
	require.ErrorContains(t, err, "listed twice")
}

func TestALogicTaskHasNothingForAWorkerToDo(t *testing.T) {
	t.Parallel()
	for _, p := range builtin(t).Tasks() {
		require.Equal(t, p.Logic, p.Process == nil && p.Run == nil, p.Type)
		require.Equal(t, p.Logic, p.Category == "logic", p.Type)
	}
	p := shell.Plugin()
	p.Logic = true
	_, err := catalog.New([]task.Plugin{p})
	require.ErrorContains(t, err, "neither Process nor Run")
}
