package catalog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/i18n"
	"dorado/plugins/alert"
	"dorado/plugins/alert/webhook"
	"dorado/plugins/catalog"
)

func TestEveryAlertPluginIsListedOnceAndTranslated(t *testing.T) {
	t.Parallel()
	alerts, err := catalog.BuiltinAlerts(t.TempDir())
	require.NoError(t, err)
	for _, name := range []string{
		"Email", "DingTalk", "WeChat", "Feishu", "Slack", "Telegram", "WebexTeams", "PagerDuty", "Http", "Script", "Prometheus AlertManager", "Teams",
	} {
		p, ok := alerts.Named(name)
		require.True(t, ok, name)
		same, ok := alerts.Numbered(p.ID)
		require.True(t, ok)
		require.Equal(t, name, same.Name)
		for _, key := range p.Keys() {
			for _, l := range i18n.Locales() {
				require.NotEqual(t, key, i18n.T(i18n.WithLocale(t.Context(), l), key), "%s: %s", l, key)
			}
		}
	}
	_, err = catalog.NewAlerts([]alert.Plugin{webhook.Slack(), webhook.Slack()})
	require.ErrorContains(t, err, "listed twice")
}
