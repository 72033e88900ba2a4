package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dorado/plugins/alert"
	"dorado/plugins/form"
)

// Feishu sends to a group robot of Feishu or Lark.
func Feishu() alert.Plugin {
	return alert.Plugin{
		ID: 4, Name: "Feishu", Label: "alert.feishu", Help: "alert.feishu.help",
		Schema: slices.Concat(form.Schema{
			address("WebHook"),
			{Name: "Secret", Type: form.Secret, Label: "alert.feishu.secret", Help: "alert.feishu.secret.help", Advanced: true},
		}, alert.ProxyFields()),
		Send: sendFeishu,
	}
}

type feishuBody struct {
	Timestamp string        `json:"timestamp,omitempty"`
	Sign      string        `json:"sign,omitempty"`
	MsgType   string        `json:"msg_type"`
	Content   feishuContent `json:"content"`
}

type feishuContent struct {
	Text string `json:"text"`
}

func sendFeishu(ctx context.Context, v form.Values, m alert.Message) (string, error) {
	body := feishuBody{MsgType: "text", Content: feishuContent{m.KeyValueText()}}
	if secret := v.Text("Secret"); secret != "" {
		body.Timestamp = strconv.FormatInt(m.At.Unix(), 10)
		body.Sign = base64.StdEncoding.EncodeToString(hmac.New(sha256.New, []byte(body.Timestamp+"\n"+secret)).Sum(nil))
	}
	a, err := alert.Call{URL: v.Text("WebHook"), JSON: body, Proxy: alert.Proxy(v)}.Do(ctx)
	if err != nil {
		return "", err
	}
	var answer struct {
		Code   *int `json:"code"`
		Status *int `json:"StatusCode"`
	}
	if err := answered(a, &answer); err != nil {
		return "", err
	}
	if answer.Code != nil && *answer.Code == 0 || answer.Code == nil && answer.Status != nil && *answer.Status == 0 {
		return a.Text(), nil
	}
	return "", fmt.Errorf("%w: %s", alert.ErrRefused, a.Text())
}

// Slack sends to an incoming webhook of Slack, or of a chat that takes the same.
func Slack() alert.Plugin {
	return alert.Plugin{
		ID: 5, Name: "Slack", Label: "alert.slack", Help: "alert.slack.help",
		Schema: form.Schema{
			address("webHook"),
			{Name: "username", Type: form.Text, Label: "alert.slack.username", Required: true},
		},
		Send: sendSlack,
	}
}

type slackBody struct {
	Username    string            `json:"username"`
	Text        string            `json:"text"`
	Attachments []slackAttachment `json:"attachments,omitempty"`
}

type slackAttachment struct {
	Text string `json:"text"`
}

func sendSlack(ctx context.Context, v form.Values, m alert.Message) (string, error) {
	body := slackBody{Username: v.Text("username"), Text: m.Title}
	if t := m.Table(); len(t.Rows) > 0 {
		body.Attachments = []slackAttachment{{"```" + textTable(t, 100) + "```"}}
	}
	a, err := alert.Call{URL: v.Text("webHook"), JSON: body}.Do(ctx)
	if err != nil {
		return "", err
	}
	if a.Status != 200 || a.Text() != "ok" {
		return "", a.Refused()
	}
	return a.Text(), nil
}

// textTable draws at most limit rows in columns of equal width.
func textTable(t alert.Table, limit int) string {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = width(c)
		for _, r := range t.Rows[:min(len(t.Rows), limit)] {
			widths[i] = max(widths[i], width(r.Values[c].Text))
		}
	}
	var b strings.Builder
	line := func(cell func(i int) string) {
		for i := range t.Columns {
			if i > 0 {
				b.WriteByte('|')
			}
			text := cell(i)
			b.WriteString(text + strings.Repeat(" ", widths[i]-width(text)))
		}
		b.WriteByte('\n')
	}
	line(func(i int) string { return t.Columns[i] })
	total := len(widths) - 1
	for _, w := range widths {
		total += w
	}
	b.WriteString(strings.Repeat("-", max(total, 0)) + "\n")
	for _, r := range t.Rows[:min(len(t.Rows), limit)] {
		line(func(i int) string { return strings.ReplaceAll(r.Values[t.Columns[i]].Text, "\n", " ") })
	}
	return b.String()
}

// width is how many columns s takes where every letter has the same width: Chinese, Japanese and Korean ones take two.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff ||
			r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd) {
			n++
		}
	}
	return n
}

// Telegram sends as a bot.
func Telegram() alert.Plugin {
	return alert.Plugin{
		ID: 6, Name: "Telegram", Label: "alert.telegram", Help: "alert.telegram.help",
		Schema: slices.Concat(form.Schema{
			{Name: "webHook", Type: form.Text, Label: "alert.webhook", Help: "alert.telegram.webhook.help", Default: telegramURL, Advanced: true},
			{Name: "botToken", Type: form.Secret, Label: "alert.telegram.token", Required: true},
			{Name: "chatId", Type: form.Text, Label: "alert.telegram.chat", Required: true},
			{Name: "parseMode", Type: form.Select, Label: "alert.telegram.parse_mode", Default: "Txt", Required: true, Options: []form.Option{
				{Value: "Txt"}, {Value: "Markdown"}, {Value: "MarkdownV2"}, {Value: "Html"},
			}},
		}, alert.ProxyFields()),
		Send: sendTelegram,
	}
}

const telegramURL = "https://api.telegram.org/bot{botToken}/sendMessage"

type telegramBody struct {
	ChatID    string `json:"chat_id"`
	ParseMode string `json:"parse_mode,omitempty"`
	Text      string `json:"text"`
}

func sendTelegram(ctx context.Context, v form.Values, m alert.Message) (string, error) {
	target := v.Text("webHook")
	if strings.TrimSpace(target) == "" {
		target = telegramURL
	}
	body := telegramBody{ChatID: v.Text("chatId")}
	text := m.Title + "\n" + m.Table().Lines()
	switch mode := v.Text("parseMode"); mode {
	case "Markdown":
		body.ParseMode, text = mode, strings.NewReplacer("_", `\_`, "*", `\*`, "`", "\\`", "[", `\[`).Replace(text)
	case "MarkdownV2":
		body.ParseMode, text = mode, escapeV2(text)
	case "Html":
		body.ParseMode, text = mode, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
	}
	body.Text = firstRunes(text, 4096)
	a, err := alert.Call{URL: strings.ReplaceAll(target, "{botToken}", v.Text("botToken")), JSON: body, Proxy: alert.Proxy(v)}.Do(ctx)
	if err != nil {
		return "", err
	}
	var answer struct {
		OK          bool   `json:"ok"`
		Code        int    `json:"error_code"`
		Description string `json:"description"`
	}
	if a.Status >= 500 {
		return "", a.Refused()
	}
	if err := answered(alert.Answer{Status: 200, Body: a.Body}, &answer); err != nil {
		return "", err
	}
	if !answer.OK {
		return "", fmt.Errorf("%w: %d %s", alert.ErrRefused, answer.Code, answer.Description)
	}
	return "", nil
}

// escapeV2 keeps markup out of a text for MarkdownV2, where each of these letters means something.
func escapeV2(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("_*[]()~`>#+-=|{}.!\\", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// firstRunes is the beginning of s, at most n characters.
func firstRunes(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return strings.TrimRight(string(r[:n-1]), `\`) + "…"
}
