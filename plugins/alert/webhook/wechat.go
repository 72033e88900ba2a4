package webhook

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"dorado/plugins/alert"
	"dorado/plugins/form"
)

const (
	weChatBase  = "https://qyapi.weixin.qq.com"
	weChatApp   = "APP/应用"
	weChatGroup = "GROUP CHAT/群聊"
)

// WeChat sends by an application of WeCom, to users or into a group chat. base is where the service is.
func WeChat(base string) alert.Plugin {
	return alert.Plugin{
		ID: 3, Name: "WeChat", Label: "alert.wechat", Help: "alert.wechat.help",
		Schema: form.Schema{
			{Name: "corpId", Type: form.Text, Label: "alert.wechat.corp_id", Required: true},
			{Name: "secret", Type: form.Secret, Label: "alert.wechat.secret", Required: true},
			{Name: "users", Type: form.Text, Label: "alert.wechat.users", Help: "alert.wechat.users.help"},
			{Name: "agentId/chatId", Type: form.Text, Label: "alert.wechat.agent", Required: true},
			{Name: "sendType", Type: form.Select, Label: "alert.wechat.send_type", Default: weChatApp, Required: true, Options: []form.Option{
				{Value: weChatApp, Label: "alert.wechat.app"}, {Value: weChatGroup, Label: "alert.wechat.group"},
			}},
			{Name: "showType", Type: form.Select, Label: "alert.show_type", Default: "markdown", Required: true, Options: []form.Option{{Value: "markdown"}, {Value: "text"}}},
		},
		Check: func(v form.Values) []form.Problem {
			if _, err := strconv.Atoi(v.Text("agentId/chatId")); err != nil && v.Text("sendType") == weChatApp {
				return []form.Problem{{Field: "agentId/chatId", Key: "form.not_whole"}}
			}
			return nil
		},
		Send: func(ctx context.Context, v form.Values, m alert.Message) (string, error) {
			return sendWeChat(ctx, base, v, m)
		},
	}
}

type weChatContent struct {
	Content string `json:"content"`
}

type weChatBody struct {
	ToUser   string         `json:"touser,omitempty"`
	ChatID   string         `json:"chatid,omitempty"`
	MsgType  string         `json:"msgtype"`
	AgentID  int            `json:"agentid,omitempty"`
	Text     *weChatContent `json:"text,omitempty"`
	Markdown *weChatContent `json:"markdown,omitempty"`
	Safe     int            `json:"safe"`
	IDTrans  *int           `json:"enable_id_trans,omitempty"`
	Twice    *int           `json:"enable_duplicate_check,omitempty"`
}

type weChatAnswer struct {
	Code    *int   `json:"errcode"`
	Message string `json:"errmsg"`
	Token   string `json:"access_token"`
}

func sendWeChat(ctx context.Context, base string, v form.Values, m alert.Message) (string, error) {
	token, err := weChatCall(ctx, alert.Call{
		Method: http.MethodGet,
		URL:    base + "/cgi-bin/gettoken?corpid=" + url.QueryEscape(v.Text("corpId")) + "&corpsecret=" + url.QueryEscape(v.Text("secret")),
	})
	if err != nil {
		return "", fmt.Errorf("ask for a token: %w", err)
	}
	kind := v.Text("showType")
	limit := 2048 // bytes, as the service documents
	if kind == "markdown" {
		limit = 4096
	}
	content := &weChatContent{shorten(weChatText(m), limit)}
	body := weChatBody{MsgType: kind}
	if kind == "markdown" {
		body.Markdown = content
	} else {
		body.Text = content
	}
	path := "/cgi-bin/message/send"
	if v.Text("sendType") == weChatGroup {
		path, body.ChatID = "/cgi-bin/appchat/send", v.Text("agentId/chatId")
	} else {
		body.ToUser, body.IDTrans, body.Twice = v.Text("users"), new(0), new(0)
		if body.AgentID, err = strconv.Atoi(v.Text("agentId/chatId")); err != nil {
			return "", fmt.Errorf("%w: the number of the application", alert.ErrSettings)
		}
	}
	a, err := weChatCall(ctx, alert.Call{URL: base + path + "?access_token=" + url.QueryEscape(token.Token), JSON: body})
	return a.Message, err
}

func weChatCall(ctx context.Context, c alert.Call) (weChatAnswer, error) {
	var answer weChatAnswer
	a, err := c.Do(ctx)
	if err != nil {
		return answer, err
	}
	if err := answered(a, &answer); err != nil {
		return answer, err
	}
	if answer.Code == nil || *answer.Code != 0 {
		return answer, fmt.Errorf("%w: %s", alert.ErrRefused, answer.Message)
	}
	return answer, nil
}

func weChatText(m alert.Message) string {
	var b strings.Builder
	b.WriteString("`" + m.Title + "`\n")
	for line := range strings.SplitSeq(m.Table().Lines(), "\n") {
		b.WriteString(">" + line + "\n")
	}
	return b.String()
}

// shorten cuts s to at most limit bytes, between characters.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len("…")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
