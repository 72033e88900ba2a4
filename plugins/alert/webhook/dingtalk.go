package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dorado/plugins/alert"
	"dorado/plugins/form"
)

// DingTalk sends to a group robot.
func DingTalk() alert.Plugin {
	return alert.Plugin{
		ID: 2, Name: "DingTalk", Label: "alert.dingtalk", Help: "alert.dingtalk.help",
		Schema: slices.Concat(form.Schema{
			address("WebHook"),
			{Name: "Keyword", Type: form.Text, Label: "alert.dingtalk.keyword", Help: "alert.dingtalk.keyword.help"},
			{Name: "Secret", Type: form.Secret, Label: "alert.dingtalk.secret", Help: "alert.dingtalk.secret.help"},
			{Name: "MsgType", Type: form.Select, Label: "alert.msg_type", Default: "text", Options: []form.Option{{Value: "text"}, {Value: "markdown"}}},
			{Name: "AtMobiles", Type: form.Text, Label: "alert.dingtalk.at_mobiles", Help: "alert.commas", Advanced: true},
			{Name: "AtDingtalkIds", Type: form.Text, Label: "alert.dingtalk.at_ids", Help: "alert.commas", Advanced: true},
			{Name: "IsAtAll", Type: form.Switch, Label: "alert.dingtalk.at_all", Default: false, Advanced: true},
		}, alert.ProxyFields()),
		Send: sendDingTalk,
	}
}

type dingAt struct {
	AtMobiles     []string `json:"atMobiles"`
	AtDingtalkIDs []string `json:"atDingtalkIds"`
	IsAtAll       bool     `json:"isAtAll"`
}

type dingText struct {
	Content string `json:"content"`
}

type dingMarkdown struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

type dingBody struct {
	MsgType  string        `json:"msgtype"`
	Text     *dingText     `json:"text,omitempty"`
	Markdown *dingMarkdown `json:"markdown,omitempty"`
	At       dingAt        `json:"at"`
}

func sendDingTalk(ctx context.Context, v form.Values, m alert.Message) (string, error) {
	content := m.Table().Lines()
	if word := v.Text("Keyword"); word != "" {
		content += " " + word
	}
	body := dingBody{MsgType: v.Text("MsgType"), At: dingAt{list(v.Text("AtMobiles")), list(v.Text("AtDingtalkIds")), v.Bool("IsAtAll")}}
	if body.MsgType == "markdown" {
		var text strings.Builder
		text.WriteString(strings.ReplaceAll(content, "\n", "\n\n") + "\n\n") // a single line end is none in this markup
		for _, who := range slices.Concat(body.At.AtMobiles, body.At.AtDingtalkIDs) {
			text.WriteString("@" + who + " ")
		}
		body.Markdown = &dingMarkdown{m.Title, text.String()}
	} else {
		body.Text = &dingText{m.Title + "\n" + content}
	}
	target := v.Text("WebHook")
	if secret := v.Text("Secret"); secret != "" {
		target += dingSignature(secret, m.At, strings.Contains(target, "?"))
	}
	a, err := alert.Call{URL: target, JSON: body, Proxy: alert.Proxy(v)}.Do(ctx)
	if err != nil {
		return "", err
	}
	var answer struct {
		Code    *int   `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if err := answered(a, &answer); err != nil {
		return "", err
	}
	if answer.Code == nil || *answer.Code != 0 {
		return "", fmt.Errorf("%w: %s", alert.ErrRefused, a.Text())
	}
	return answer.Message, nil
}

// dingSignature is the end of the address that proves who knows the secret.
func dingSignature(secret string, at time.Time, query bool) string {
	stamp := strconv.FormatInt(at.UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "\n" + secret))
	sep := "?"
	if query {
		sep = "&"
	}
	return sep + "timestamp=" + stamp + "&sign=" + url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// list is the items of a comma-separated text, never nil.
func list(text string) []string {
	out := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}
