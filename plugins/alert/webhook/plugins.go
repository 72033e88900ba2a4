package webhook

import (
	"encoding/json"
	"fmt"

	"dorado/plugins/alert"
	"dorado/plugins/form"
)

// Plugins are the alert plugins of this package.
func Plugins() []alert.Plugin {
	return []alert.Plugin{
		DingTalk(), WeChat(weChatBase), Feishu(), Slack(), Telegram(), Teams(), WebexTeams(webexURL), PagerDuty(pagerDutyURL), HTTP(), Alertmanager(),
	}
}

// answered reads the members of a JSON answer into v; it fails with what was answered instead.
func answered(a alert.Answer, v any) error {
	if a.Status < 200 || a.Status > 299 {
		return a.Refused()
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("%w: the answer is no JSON: %s", alert.ErrRefused, a.Text())
	}
	return nil
}

// address is the field for an address that holds a token.
func address(name string) form.Field {
	return form.Field{Name: name, Type: form.Secret, Label: "alert.webhook", Help: "alert.webhook.secret", Required: true}
}
