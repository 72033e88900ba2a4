package email

import (
	"context"
	"fmt"
	netmail "net/mail"
	"strings"

	"dorado/plugins/alert"
	"dorado/plugins/form"
)

// What a message shows.
const (
	showTable      = "table"
	showText       = "text"
	showAttachment = "attachment"
	showBoth       = "table attachment"
)

// Plugin sends alerts by mail.
func Plugin() alert.Plugin {
	auth := &form.Condition{Field: "enableSmtpAuth", In: []string{"true"}}
	return alert.Plugin{
		ID: 1, Name: "Email", Label: "alert.email", Help: "alert.email.help",
		Schema: form.Schema{
			{Name: "receivers", Type: form.Text, Label: "alert.email.receivers", Help: "alert.commas", Required: true},
			{Name: "receiverCcs", Type: form.Text, Label: "alert.email.copies", Help: "alert.commas"},
			{Name: "serverHost", Type: form.Text, Label: "alert.email.host", Required: true, Alias: "mail.smtp.host"},
			{Name: "serverPort", Type: form.Number, Label: "alert.email.port", Default: 25.0, Required: true, Min: new(1.0), Max: new(65535.0)},
			{Name: "sender", Type: form.Text, Label: "alert.email.sender", Required: true},
			{Name: "enableSmtpAuth", Type: form.Switch, Label: "alert.email.auth", Default: true},
			{Name: "User", Type: form.Text, Label: "alert.email.user", Required: true, VisibleWhen: auth},
			{Name: "Password", Type: form.Secret, Label: "alert.email.password", VisibleWhen: auth},
			{Name: "starttlsEnable", Type: form.Switch, Label: "alert.email.starttls", Help: "alert.email.starttls.help", Default: false},
			{Name: "sslEnable", Type: form.Switch, Label: "alert.email.ssl", Help: "alert.email.ssl.help", Default: false},
			{Name: "smtpSslTrust", Type: form.Text, Label: "alert.email.trust", Help: "alert.email.trust.help", Advanced: true},
			{Name: "showType", Type: form.Select, Label: "alert.show_type", Default: showTable, Required: true, Options: []form.Option{
				{Value: showTable, Label: "alert.email.show.table"},
				{Value: showText, Label: "alert.email.show.text"},
				{Value: showAttachment, Label: "alert.email.show.attachment"},
				{Value: showBoth, Label: "alert.email.show.both"},
			}},
		},
		Check: check,
		Send:  deliver,
	}
}

// check refuses what is no address of mail.
func check(v form.Values) []form.Problem {
	var problems []form.Problem
	for _, name := range []string{"receivers", "receiverCcs", "sender"} {
		list, bad := addresses(v.Text(name))
		switch {
		case bad != "":
			problems = append(problems, form.Problem{Field: name, Key: "alert.error.mail_address", Args: []any{"address", bad}})
		case name == "receivers" && len(list) == 0:
			problems = append(problems, form.Problem{Field: name, Key: "form.required"})
		case name == "sender" && len(list) != 1:
			problems = append(problems, form.Problem{Field: name, Key: "alert.error.mail_address", Args: []any{"address", v.Text(name)}})
		}
	}
	return problems
}

// addresses reads a comma-separated list; bad is the first one that is no address.
func addresses(text string) (list []*netmail.Address, bad string) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		a, err := netmail.ParseAddress(item)
		if err != nil || strings.ContainsAny(item, "\r\n") {
			return nil, item
		}
		list = append(list, a)
	}
	return list, ""
}

func deliver(ctx context.Context, v form.Values, m alert.Message) (string, error) {
	table := m.Table()
	to, _ := addresses(v.Text("receivers"))
	copies, _ := addresses(v.Text("receiverCcs"))
	from, _ := addresses(v.Text("sender"))
	if len(to) == 0 || len(from) != 1 {
		return "", fmt.Errorf("%w: addresses", alert.ErrSettings)
	}
	letter := letter{from: from[0], to: to, copies: copies, title: oneLine(m.Title), key: m.Key, at: m.At}
	switch v.Text("showType") {
	case showText:
		letter.body = page(letter.title, asJSON(table), 0)
	case showAttachment:
		letter.body = page(letter.title, note("Please see the attachment "+letter.title+".xlsx"), 0)
	case showBoth:
		letter.body = page(letter.title, table, tableRows)
	default:
		letter.body = page(letter.title, table, 0)
	}
	if show := v.Text("showType"); show == showAttachment || show == showBoth {
		var err error
		if letter.workbook, err = workbook(table); err != nil {
			return "", fmt.Errorf("write the workbook: %w", err)
		}
	}
	if err := send(ctx, serverOf(v), letter); err != nil {
		return "", err
	}
	return "email send success.", nil
}

// oneLine keeps a title from becoming more than a title.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
