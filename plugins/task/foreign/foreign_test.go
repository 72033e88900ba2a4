package foreign_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/i18n"
	"dorado/plugins/task"
	"dorado/plugins/task/foreign"
)

func TestEveryTypeHasANameInEveryLanguage(t *testing.T) {
	t.Parallel()
	for _, p := range foreign.Plugins() {
		require.NoError(t, p.Validate(), p.Type)
		for _, key := range p.Keys() {
			for _, l := range i18n.Locales() {
				require.NotEqual(t, key, i18n.T(i18n.WithLocale(t.Context(), l), key), "%s has no %q", l, key)
			}
		}
	}
}

func TestTheReadmeNamesEveryType(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, p := range foreign.Plugins() {
		require.Contains(t, string(readme), p.Type)
	}
}

func TestSettingsOfAForeignTypeAreNotJudged(t *testing.T) {
	t.Parallel()
	for _, p := range foreign.Plugins() {
		for _, raw := range []string{
			`{}`, `{"sql":"select 1","resourceList":[{"id":4}],"anything":{"deep":[1,null,"x"]}}`,
			`{"localParams":[{"prop":"day","direct":"IN","type":"VARCHAR","value":"$[yyyyMMdd]"},{"prop":"rows","direct":"OUT","type":"LIST","value":""}]}`,
		} {
			_, problems := p.Decode([]byte(raw))
			require.Empty(t, problems, "%s: %s", p.Type, raw)
		}
		_, problems := p.Decode([]byte(`{"localParams":[{"prop":""}]}`))
		require.NotEmpty(t, problems, "parameters are handed on by name, so they need one")
	}
}

func TestARunOfAForeignTypeFailsAndSaysWhy(t *testing.T) {
	t.Parallel()
	for _, p := range foreign.Plugins() {
		var log bytes.Buffer
		_, err := p.Run(t.Context(), nil, task.Env{Log: &log})
		require.ErrorIs(t, err, foreign.ErrForeign)
		require.ErrorContains(t, err, "no worker of this version can run "+p.Type+" tasks")
		require.Contains(t, log.String(), p.Type)
	}
}

func TestTheBrowserLearnsThatATypeIsForeign(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(foreign.Plugins()[0].Describe(func(key string) string { return key }))
	require.NoError(t, err)
	require.Contains(t, string(raw), `"foreign":true`)
}
