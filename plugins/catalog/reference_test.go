package catalog_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/i18n"
	"dorado/app/kit/testkit"
	"dorado/plugins/catalog"
	"dorado/plugins/form"
)

const (
	referenceFile = "../../docs/plugins.md"
	testedFile    = "testdata/tested.txt"
)

const referenceIntro = `# Plugins

Every type of task, alert, data source and storage of this program. The tables are written from the schemas of the plugins
(` + "`go test ./plugins/catalog -run Reference -update`" + `), and a test compares. "Run against" says what a plugin was tried with; "golden
only" means that nobody had a server to try it with, so that only what it would send or start is compared.
`

// tested is against what each plugin was run, by "kind NAME".
func tested(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(testedFile)
	require.NoError(t, err)
	rows := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, text, ok := strings.Cut(line, ": ")
		require.True(t, ok, line)
		require.NotContains(t, rows, name)
		rows[name] = text
	}
	return rows
}

func TestTheReferenceOfPluginsIsThatOfTheSchemas(t *testing.T) {
	t.Parallel()
	rows := tested(t)
	take := func(kind, name string) string {
		key := kind + " " + name
		text, ok := rows[key]
		require.True(t, ok, "%s does not say against what %q was run", testedFile, key)
		delete(rows, key)
		return text
	}
	english := func(key string) string { return i18n.T(i18n.WithLocale(t.Context(), i18n.English), key) }
	var out strings.Builder
	out.WriteString(referenceIntro)
	table := func(s form.Schema) {
		if len(s) > 0 {
			out.WriteString("\n" + s.Markdown(english))
		}
	}

	out.WriteString("\n## Tasks\n")
	var kept []string
	for _, p := range builtin(t).Tasks() {
		if p.Foreign {
			kept = append(kept, "`"+p.Type+"`")
			continue
		}
		fmt.Fprintf(&out, "\n### %s (%s)\n\n%s.\n\nRun against: %s.\n", p.Type, english(p.Label), english(p.Help), take("task", p.Type))
		table(p.Schema)
	}
	if len(kept) > 0 {
		out.WriteString("\n### Kept\n\nDefinitions may hold these types; they are kept, drawn and exported without loss, and no worker of this version runs them: " +
			strings.Join(kept, ", ") + ".\n")
	}

	out.WriteString("\n## Alerts\n")
	alerts, err := catalog.BuiltinAlerts(t.TempDir())
	require.NoError(t, err)
	for _, p := range alerts.All() {
		fmt.Fprintf(&out, "\n### %s\n\n%s.\n\nRun against: %s.\n", p.Name, strings.TrimSuffix(english(p.Help), "."), take("alert", p.Name))
		table(p.Schema)
	}

	out.WriteString("\n## Data sources\n")
	sources, err := catalog.BuiltinDataSources()
	require.NoError(t, err)
	for _, p := range sources.All() {
		fmt.Fprintf(&out, "\n### %s (%s)\n\n", p.Type, p.Label)
		if p.Missing != "" {
			out.WriteString(english(p.Missing) + "\n")
			delete(rows, "datasource "+p.Type)
		} else {
			fmt.Fprintf(&out, "Run against: %s.\n", take("datasource", p.Type))
		}
		table(p.Schema)
	}

	out.WriteString("\n## Storages\n\nTheir keys are in `dorado config --reference`, under `storage`.\n\n| type | run against |\n|---|---|\n")
	for _, name := range catalog.StorageTypes() {
		fmt.Fprintf(&out, "| `%s` | %s |\n", name, take("storage", name))
	}
	require.Empty(t, rows, "%s speaks of plugins that do not exist", testedFile)

	if testkit.Updating() {
		require.NoError(t, os.WriteFile(referenceFile, []byte(out.String()), 0o644))
	}
	want, err := os.ReadFile(referenceFile)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String(), "docs/plugins.md is out of date: go test ./plugins/catalog -run Reference -update")
}
