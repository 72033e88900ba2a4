package httptask

import (
	"net/http"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

// Members of the settings.
const (
	address         = "url"
	method          = "httpMethod"
	parameters      = "httpParams"
	body            = "httpBody"
	check           = "httpCheckCondition"
	condition       = "condition"
	connectTimeout  = "connectTimeout"
	socketTimeout   = "socketTimeout"
	followRedirects = "followRedirects"
	skipVerify      = "insecureSkipVerify"
	authorities     = "caCertificate"
	proxy           = "proxy"
)

// Columns of the table of parameters, and what its rows may be.
const (
	prop  = "prop"
	place = "httpParametersType"
	value = "value"

	inQuery  = "PARAMETER"
	inHeader = "HEADERS"
	inBody   = "BODY" // members of a JSON object; version 2 of DolphinScheduler had them in place of a body
)

// What an answer has to be like.
const (
	statusOK        = "STATUS_CODE_DEFAULT"
	statusCustom    = "STATUS_CODE_CUSTOM"
	bodyContains    = "BODY_CONTAINS"
	bodyContainsNot = "BODY_NOT_CONTAINS"
)

// defaultTimeout is DolphinScheduler's, in milliseconds.
const defaultTimeout = 60_000.0

// Plugin returns the HTTP task type.
func Plugin() task.Plugin {
	return task.Plugin{
		Type: "HTTP", Category: "universal", Icon: "http", Retryable: true,
		Label: "task.http", Help: "task.http.help",
		Aliases: []string{"rest", "api", "url", "curl", "webhook", "请求", "接口"},
		Schema: form.Schema{
			{
				Name: address, Type: form.Text, Required: true,
				Label: "task.http.url", Help: "task.http.url.help", Placeholder: "task.http.url.placeholder",
			},
			{
				Name: method, Type: form.Select, Required: true, Default: http.MethodGet, Label: "task.http.method",
				Options: plain(http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodPatch),
			},
			{
				Name: parameters, Type: form.Table, Label: "task.http.params", Help: "task.http.params.help",
				Columns: []form.Column{
					{Name: prop, Label: "task.http.params.prop"},
					{Name: place, Label: "task.http.params.type", Options: []form.Option{
						{Value: inQuery, Label: "task.http.params.query"},
						{Value: inHeader, Label: "task.http.params.header"},
						{Value: inBody, Label: "task.http.params.body"},
					}},
					{Name: value, Label: "task.http.params.value"},
				},
			},
			{
				Name: body, Type: form.Code, Language: "json", Label: "task.http.body", Help: "task.http.body.help",
				VisibleWhen: &form.Condition{Field: method, In: []string{http.MethodPost, http.MethodPut, http.MethodPatch}},
			},
			{
				Name: check, Type: form.Select, Required: true, Default: statusOK, Label: "task.http.check",
				Options: []form.Option{
					{Value: statusOK, Label: "task.http.check.ok"},
					{Value: statusCustom, Label: "task.http.check.custom"},
					{Value: bodyContains, Label: "task.http.check.contains"},
					{Value: bodyContainsNot, Label: "task.http.check.contains_not"},
				},
			},
			{
				Name: condition, Type: form.TextArea, Required: true, Label: "task.http.condition", Help: "task.http.condition.help",
				VisibleWhen: &form.Condition{Field: check, In: []string{statusCustom, bodyContains, bodyContainsNot}},
			},
			{
				Name: connectTimeout, Type: form.Number, Default: defaultTimeout, Min: new(1.0), Max: new(maxTimeout),
				Label: "task.http.connect_timeout", Help: "task.http.connect_timeout.help",
			},
			{
				Name: socketTimeout, Type: form.Number, Default: defaultTimeout, Min: new(0.0), Max: new(maxTimeout),
				Label: "task.http.socket_timeout", Help: "task.http.socket_timeout.help",
			},
			{
				Name: followRedirects, Type: form.Switch, Default: true, Advanced: true,
				Label: "task.http.redirects", Help: "task.http.redirects.help",
			},
			{
				Name: skipVerify, Type: form.Switch, Default: false, Advanced: true,
				Label: "task.http.insecure", Help: "task.http.insecure.help",
			},
			{
				Name: authorities, Type: form.TextArea, Advanced: true, Label: "task.http.ca", Help: "task.http.ca.help",
			},
			{
				Name: proxy, Type: form.Text, Advanced: true,
				Label: "task.http.proxy", Help: "task.http.proxy.help", Placeholder: "task.http.proxy.placeholder",
			},
			task.Resources(),
			task.Parameters(),
		},
		Check: problems,
		Run:   run,
	}
}

// maxTimeout is a day: whoever wants more wants a task that asks again.
const maxTimeout = 24 * 60 * 60 * 1000.0

// plain are choices that are shown as they are.
func plain(values ...string) []form.Option {
	out := make([]form.Option, len(values))
	for i, v := range values {
		out[i].Value = v
	}
	return out
}
