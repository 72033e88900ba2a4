package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/alert"
	"dorado/plugins/alert/webhook"
	"dorado/plugins/form"
)

// service stands for a chat service: it keeps what it was sent and answers as it was told.
type service struct {
	*httptest.Server
	answers  []string
	status   int
	requests []*http.Request
	bodies   []string
}

func serve(t *testing.T, status int, answers ...string) *service {
	t.Helper()
	s := &service{answers: answers, status: status}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.requests, s.bodies = append(s.requests, r), append(s.bodies, string(body))
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.answers[min(len(s.requests), len(s.answers))-1])
	}))
	t.Cleanup(s.Close)
	return s
}

func message() alert.Message {
	return alert.Message{
		Key: "7:1:WORKFLOW_INSTANCE_FAILURE:0", Title: "start process failed", Kind: "WORKFLOW_INSTANCE_FAILURE", Warning: "FAILURE",
		Content: `[{"projectName":"etl","taskName":"a<b","retryTimes":3}]`, At: time.UnixMilli(1700000000123),
	}
}

func send(t *testing.T, p alert.Plugin, settings form.Flat) (string, error) {
	t.Helper()
	require.NoError(t, p.Validate())
	return p.Deliver(t.Context(), settings, message())
}

// same compares byte for byte: services count on the order of members as little as on blanks, but nothing shows a change better.
func same(t *testing.T, want, got string) {
	t.Helper()
	require.Equal(t, want, got)
}

func TestContractOfDingTalk(t *testing.T) {
	t.Parallel()
	s := serve(t, 200, `{"errcode":0,"errmsg":"ok"}`)
	answer, err := send(t, webhook.DingTalk(), form.Flat{
		"WebHook": s.URL + "/robot/send?access_token=abc", "Keyword": "dorado", "Secret": "SEC1", "AtMobiles": "1, 2", "IsAtAll": "true",
	})
	require.NoError(t, err)
	require.Equal(t, "ok", answer)
	same(t, `{"msgtype":"text","text":{"content":"start process failed\nprojectName:etl\ntaskName:a<b\nretryTimes:3 dorado"},`+
		`"at":{"atMobiles":["1","2"],"atDingtalkIds":[],"isAtAll":true}}`, s.bodies[0])
	require.Equal(t, "application/json; charset=utf-8", s.requests[0].Header.Get("Content-Type"))
	mac := hmac.New(sha256.New, []byte("SEC1"))
	mac.Write([]byte("1700000000123\nSEC1"))
	require.Equal(t, url.Values{
		"access_token": {"abc"}, "timestamp": {"1700000000123"}, "sign": {base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}, s.requests[0].URL.Query())

	_, err = send(t, webhook.DingTalk(), form.Flat{"WebHook": s.URL, "MsgType": "markdown", "AtMobiles": "1", "AtDingtalkIds": "u"})
	require.NoError(t, err)
	same(t, `{"msgtype":"markdown","markdown":{"title":"start process failed","text":"projectName:etl\n\ntaskName:a<b\n\nretryTimes:3\n\n@1 @u "},`+
		`"at":{"atMobiles":["1"],"atDingtalkIds":["u"],"isAtAll":false}}`, s.bodies[1])

	refusing := serve(t, 200, `{"errcode":310000,"errmsg":"keywords not in content"}`)
	_, err = send(t, webhook.DingTalk(), form.Flat{"WebHook": refusing.URL})
	require.ErrorIs(t, err, alert.ErrRefused)
	require.ErrorContains(t, err, "keywords not in content")
}

func TestContractOfWeChat(t *testing.T) {
	t.Parallel()
	s := serve(t, 200, `{"errcode":0,"errmsg":"ok","access_token":"T&1"}`, `{"errcode":0,"errmsg":"ok"}`)
	_, err := send(t, webhook.WeChat(s.URL), form.Flat{
		"corpId": "c", "secret": "s e", "users": "ann|bob", "agentId/chatId": "1000002", "sendType": "APP/应用", "showType": "text",
	})
	require.NoError(t, err)
	require.Equal(t, "/cgi-bin/gettoken?corpid=c&corpsecret=s+e", s.requests[0].URL.String())
	require.Equal(t, "/cgi-bin/message/send?access_token=T%261", s.requests[1].URL.String())
	same(t, `{"touser":"ann|bob","msgtype":"text","agentid":1000002,"text":{"content":"`+"`start process failed`"+
		`\n>projectName:etl\n>taskName:a<b\n>retryTimes:3\n"},"safe":0,"enable_id_trans":0,"enable_duplicate_check":0}`, s.bodies[1])

	group := serve(t, 200, `{"errcode":0,"access_token":"T"}`, `{"errcode":0}`)
	_, err = send(t, webhook.WeChat(group.URL), form.Flat{"corpId": "c", "secret": "s", "agentId/chatId": "chat", "sendType": "GROUP CHAT/群聊"})
	require.NoError(t, err)
	require.Equal(t, "/cgi-bin/appchat/send", group.requests[1].URL.Path)
	require.True(t, strings.HasPrefix(group.bodies[1], `{"chatid":"chat","msgtype":"markdown","markdown":{"content":`), group.bodies[1])
	require.True(t, strings.HasSuffix(group.bodies[1], `"safe":0}`), group.bodies[1])

	wrong := serve(t, 200, `{"errcode":40001,"errmsg":"invalid credential"}`)
	_, err = send(t, webhook.WeChat(wrong.URL), form.Flat{"corpId": "c", "secret": "s", "agentId/chatId": "1"})
	require.ErrorContains(t, err, "invalid credential")
	_, problems := webhook.WeChat("").Decode(form.Flat{"corpId": "c", "secret": "s", "agentId/chatId": "no number"})
	require.Equal(t, "agentId/chatId", problems[0].Field)
}

func TestContractOfFeishu(t *testing.T) {
	t.Parallel()
	for _, good := range []string{`{"code":0,"msg":"success"}`, `{"StatusCode":0,"StatusMessage":"success"}`} {
		s := serve(t, 200, good)
		_, err := send(t, webhook.Feishu(), form.Flat{"WebHook": s.URL + "/hook/x"})
		require.NoError(t, err)
		same(t, `{"msg_type":"text","content":{"text":"`+"`start process failed`"+`\nprojectName:etl\ntaskName:a<b\nretryTimes:3"}}`, s.bodies[0])
	}
	s := serve(t, 200, `{"code":0}`)
	_, err := send(t, webhook.Feishu(), form.Flat{"WebHook": s.URL, "Secret": "k"})
	require.NoError(t, err)
	sign := base64.StdEncoding.EncodeToString(hmac.New(sha256.New, []byte("1700000000\nk")).Sum(nil))
	require.True(t, strings.HasPrefix(s.bodies[0], `{"timestamp":"1700000000","sign":"`+sign+`","msg_type":"text"`), s.bodies[0])
	bad := serve(t, 200, `{"code":19024,"msg":"Key Words Not Found"}`)
	_, err = send(t, webhook.Feishu(), form.Flat{"WebHook": bad.URL})
	require.ErrorContains(t, err, "Key Words Not Found")
}

func TestContractOfSlack(t *testing.T) {
	t.Parallel()
	s := serve(t, 200, "ok")
	_, err := send(t, webhook.Slack(), form.Flat{"webHook": s.URL + "/services/T/B/X", "username": "dorado"})
	require.NoError(t, err)
	same(t, `{"username":"dorado","text":"start process failed","attachments":[{"text":"`+"```"+
		`projectName|taskName|retryTimes\n-------------------------------\netl        |a<b     |3         \n`+"```"+`"}]}`, s.bodies[0])
	bad := serve(t, 403, "invalid_token")
	_, err = send(t, webhook.Slack(), form.Flat{"webHook": bad.URL + "/services/T/B/X", "username": "dorado"})
	require.ErrorContains(t, err, "HTTP 403 invalid_token")
}

func TestContractOfTelegram(t *testing.T) {
	t.Parallel()
	s := serve(t, 200, `{"ok":true,"result":{}}`)
	for mode, want := range map[string]string{
		"":           `{"chat_id":"-5","text":"start process failed\nprojectName:etl\ntaskName:a<b\nretryTimes:3"}`,
		"Html":       `{"chat_id":"-5","parse_mode":"Html","text":"start process failed\nprojectName:etl\ntaskName:a&lt;b\nretryTimes:3"}`,
		"MarkdownV2": `{"chat_id":"-5","parse_mode":"MarkdownV2","text":"start process failed\nprojectName:etl\ntaskName:a<b\nretryTimes:3"}`,
	} {
		settings := form.Flat{"webHook": s.URL + "/bot{botToken}/sendMessage", "botToken": "42:secret", "chatId": "-5"}
		if mode != "" {
			settings["parseMode"] = mode
		}
		_, err := send(t, webhook.Telegram(), settings)
		require.NoError(t, err)
		require.Equal(t, want, s.bodies[len(s.bodies)-1])
		require.Equal(t, "/bot42:secret/sendMessage", s.requests[0].URL.Path)
	}
	bad := serve(t, 401, `{"ok":false,"error_code":401,"description":"Unauthorized"}`)
	_, err := send(t, webhook.Telegram(), form.Flat{"webHook": bad.URL + "/bot{botToken}", "botToken": "42:secret", "chatId": "5"})
	require.ErrorContains(t, err, "401 Unauthorized")
}

func TestContractOfTeamsWebexAndPagerDuty(t *testing.T) {
	t.Parallel()
	s := serve(t, 202, "")
	_, err := send(t, webhook.Teams(), form.Flat{"webHook": s.URL})
	require.NoError(t, err)
	same(t, `{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","content":{`+
		`"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.4","body":[`+
		`{"type":"TextBlock","text":"start process failed","weight":"Bolder","wrap":true},{"type":"FactSet","facts":[`+
		`{"title":"projectName","value":"etl"},{"title":"taskName","value":"a<b"},{"title":"retryTimes","value":"3"}]}]}}]}`, s.bodies[0])

	webex := serve(t, 200, "{}")
	_, err = send(t, webhook.WebexTeams(webex.URL), form.Flat{"BotAccessToken": "tok", "RoomId": "r1", "AtSomeoneInRoom": "ann@example.org"})
	require.NoError(t, err)
	same(t, `{"roomId":"r1","markdown":"`+"`start process failed`"+`\nprojectName:etl\ntaskName:a<b\nretryTimes:3 <@personEmail:ann@example.org>"}`, webex.bodies[0])
	require.Equal(t, "Bearer tok", webex.requests[0].Header.Get("Authorization"))
	_, problems := webhook.WebexTeams("").Decode(form.Flat{"BotAccessToken": "t", "Destination": "personEmail"})
	require.Equal(t, "ToPersonEmail", problems[0].Field)

	pager := serve(t, 202, `{"status":"success"}`)
	_, err = send(t, webhook.PagerDuty(pager.URL), form.Flat{"IntegrationKey": "key1"})
	require.NoError(t, err)
	same(t, `{"routing_key":"key1","event_action":"trigger","dedup_key":"7:1:WORKFLOW_INSTANCE_FAILURE:0","payload":{"summary":"start process failed",`+
		`"source":"Dorado","severity":"critical","custom_details":"projectName:etl\ntaskName:a<b\nretryTimes:3"}}`, pager.bodies[0])
}

func TestAnyAddressIsCalledWithPlaceholdersFilled(t *testing.T) {
	t.Parallel()
	s := serve(t, 200, "taken")
	answer, err := send(t, webhook.HTTP(), form.Flat{"url": s.URL + "/a?t=${title}&m=${msg}", "headerParams": `{"X-Kind":"${alertType}","Authorization":"Bearer abcdef"}`})
	require.NoError(t, err)
	require.Equal(t, "taken", answer)
	require.Equal(t, "GET", s.requests[0].Method)
	require.Equal(t, "start process failed", s.requests[0].URL.Query().Get("t"))
	require.Equal(t, message().Content, s.requests[0].URL.Query().Get("m"))
	require.Equal(t, "WORKFLOW_INSTANCE_FAILURE", s.requests[0].Header.Get("X-Kind"))

	_, err = send(t, webhook.HTTP(), form.Flat{"url": s.URL, "requestType": "POST", "bodyParams": `{"text":"${title}: ${msg}","n":1,"deep":{"l":["${title}"]}}`})
	require.NoError(t, err)
	require.JSONEq(t, `{"text":`+strconv.Quote("start process failed: "+message().Content)+`,"n":1,"deep":{"l":["start process failed"]}}`, s.bodies[1])
	require.Equal(t, "application/json; charset=utf-8", s.requests[1].Header.Get("Content-Type"))

	_, err = send(t, webhook.HTTP(), form.Flat{"url": s.URL, "requestType": "PUT", "contentType": "application/x-www-form-urlencoded", "bodyParams": `{"t":"${title}"}`})
	require.NoError(t, err)
	require.Equal(t, "t=start+process+failed", s.bodies[2])

	failing := serve(t, 500, "broken; you said Bearer abcdef")
	_, err = send(t, webhook.HTTP(), form.Flat{"url": failing.URL, "headerParams": `{"A":"Bearer abcdef"}`})
	require.ErrorContains(t, err, "HTTP 500")
	for field, bad := range map[string]form.Flat{
		"url": {"url": "file:///etc/passwd"}, "headerParams": {"url": "http://x", "headerParams": "no object"}, "bodyParams": {"url": "http://x", "requestType": "POST", "bodyParams": "[]"},
	} {
		_, problems := webhook.HTTP().Decode(bad)
		require.Len(t, problems, 1, field)
		require.Equal(t, field, problems[0].Field)
	}
}

func TestContractOfAlertmanager(t *testing.T) {
	t.Parallel()
	s := serve(t, 200, "")
	_, err := send(t, webhook.Alertmanager(), form.Flat{"url": s.URL + "/", "annotations": `{"team":"data"}`, "generatorURL": "http://dorado"})
	require.NoError(t, err)
	require.Equal(t, "/api/v2/alerts", s.requests[0].URL.Path)
	require.JSONEq(t, `[{"labels":{"alertname":"WORKFLOW_INSTANCE_FAILURE","severity":"critical","title":"start process failed","projectName":"etl","taskName":"a<b"},
		"annotations":{"team":"data","retryTimes":"3"},"startsAt":"2023-11-14T22:13:20.123Z","generatorURL":"http://dorado"}]`, s.bodies[0])
}

func TestNoErrorTellsASecret(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, c := range map[string]struct {
		plugin   alert.Plugin
		settings form.Flat
	}{
		"dingtalk": {webhook.DingTalk(), form.Flat{"WebHook": gone.URL + "/send?access_token=hunter2hunter2"}},
		"slack":    {webhook.Slack(), form.Flat{"webHook": gone.URL + "/services/hunter2hunter2", "username": "d"}},
		"telegram": {webhook.Telegram(), form.Flat{"webHook": gone.URL + "/bot{botToken}", "botToken": "hunter2hunter2", "chatId": "1"}},
		"broken":   {webhook.Slack(), form.Flat{"webHook": "http://[hunter2hunter2", "username": "d"}},
	} {
		_, err := send(t, c.plugin, c.settings)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "hunter2", name)
	}
	echo := serve(t, 400, "unknown token hunter2hunter2")
	_, err := send(t, webhook.Telegram(), form.Flat{"webHook": echo.URL, "botToken": "hunter2hunter2", "chatId": "1"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2", "not even when the receiver repeats it")
	_, err = send(t, webhook.Slack(), form.Flat{"webHook": "http://169.254.169.254/latest", "username": "d"})
	require.ErrorContains(t, err, "not allowed")
}

func TestARedirectIsNoSuccess(t *testing.T) {
	t.Parallel()
	target := serve(t, 200, "ok")
	from := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusFound))
	t.Cleanup(from.Close)
	_, err := send(t, webhook.HTTP(), form.Flat{"url": from.URL})
	require.ErrorContains(t, err, "HTTP 302")
	require.Empty(t, target.requests, "a receiver does not choose whom else we call")
}
