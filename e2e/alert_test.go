//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// mailbox is a mail server for ann, whose password is Mail-passw0rd.
type mailbox struct{ mails chan string }

// NewSession begins a conversation.
func (m mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &delivery{box: m}, nil }

type delivery struct {
	box mailbox
	in  bool
}

// AuthMechanisms are the ways to sign in.
func (*delivery) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth signs in.
func (d *delivery) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, secret string) error {
		if d.in = user == "ann" && secret == "Mail-passw0rd"; !d.in {
			return errors.New("wrong password")
		}
		return nil
	}), nil
}

// Mail takes the sender.
func (d *delivery) Mail(string, *smtp.MailOptions) error {
	if !d.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

// Rcpt takes a receiver.
func (*delivery) Rcpt(string, *smtp.RcptOptions) error { return nil }

// Data takes the mail.
func (d *delivery) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	d.box.mails <- string(text)
	return err
}

// Reset is part of the conversation, as what follows.
func (*delivery) Reset() {}

// Logout ends it.
func (*delivery) Logout() error { return nil }

// A run fails at night: the group that was named for it is told by mail and in a chat, each once.
func TestAFailedRunIsToldByMailAndInAChat(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	ctx := within(t, time.Minute)
	box := mailbox{make(chan string, 10)}
	server := smtp.NewServer(box)
	server.AllowInsecureAuth = true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	chat := make(chan string, 10)
	room := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		chat <- string(body)
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(room.Close)
	host, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)

	var plugins []struct {
		ID         int64
		PluginName string
	}
	require.NoError(t, s.Admin.Call(ctx, http.MethodGet, "/ui-plugins/query-by-type?pluginType=ALERT", nil, &plugins))
	made := map[string]string{}
	for name, settings := range map[string]map[string]string{
		"Email": {
			"receivers": "night@example.org", "serverHost": host, "serverPort": port, "sender": "dorado@example.org", "enableSmtpAuth": "true", "User": "ann",
			"Password": "Mail-passw0rd", "starttlsEnable": "false", "sslEnable": "false", "showType": "table",
		},
		"Slack": {"webHook": room.URL + "/services/T/B/X", "username": "dorado"},
	} {
		text, err := json.Marshal(settings)
		require.NoError(t, err)
		form := url.Values{"instanceName": {"night " + name}, "pluginInstanceParams": {string(text)}}
		for _, p := range plugins {
			if p.PluginName == name {
				form.Set("pluginDefineId", itoa(p.ID))
			}
		}
		require.NoError(t, s.Admin.Call(ctx, http.MethodPost, "/alert-plugin-instances/test-send", form, nil))
		var instance struct{ ID int64 }
		require.NoError(t, s.Admin.Call(ctx, http.MethodPost, "/alert-plugin-instances", form, &instance))
		made[name] = itoa(instance.ID)
	}
	require.Contains(t, <-box.mails, "Dorado test alert")
	require.Contains(t, <-chat, "Dorado test alert")
	var group struct{ ID int64 }
	require.NoError(t, s.Admin.Call(ctx, http.MethodPost, "/alert-groups", url.Values{
		"groupName": {"night"}, "alertInstanceIds": {made["Email"] + "," + made["Slack"]},
	}, &group))
	require.Error(t, s.Admin.Call(ctx, http.MethodDelete, "/alert-plugin-instances/"+made["Email"], nil, nil), "a group holds it")

	p := project(t, s.Admin, "night")
	d, err := s.Admin.Publish(ctx, p, harness.Workflow{Name: "load", Tasks: []harness.Task{{Name: "break", Script: "exit 3"}}})
	require.NoError(t, err)
	var ids []int64
	require.NoError(t, s.Admin.Call(ctx, http.MethodPost, "/projects/"+itoa(p)+"/executors/start-workflow-instance", url.Values{
		"workflowDefinitionCode": {itoa(d.Code)}, "scheduleTime": {""}, "failureStrategy": {"END"}, "warningType": {"FAILURE"}, "warningGroupId": {itoa(group.ID)},
	}, &ids))
	_, err = s.Admin.WaitInstance(ctx, p, ids[0], 20*time.Millisecond, "FAILURE")
	require.NoError(t, err)
	mail, words := <-box.mails, <-chat
	require.Contains(t, mail, "Subject: start process failed")
	require.Contains(t, mail, "break")
	require.Contains(t, words, "start process failed")
	require.Contains(t, strings.ReplaceAll(words, " ", ""), "break")
	select {
	case again := <-box.mails:
		t.Fatal("told twice: ", again)
	case again := <-chat:
		t.Fatal("told twice: ", again)
	case <-time.After(500 * time.Millisecond): // as long as telling took, many times over
	}
}
