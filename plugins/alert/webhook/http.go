package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dorado/plugins/alert"
	"dorado/plugins/form"
)

const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

// HTTP calls any address.
func HTTP() alert.Plugin {
	body := &form.Condition{Field: "requestType", In: []string{http.MethodPost, http.MethodPut}}
	return alert.Plugin{
		ID: 10, Name: "Http", Label: "alert.http", Help: "alert.http.help",
		Schema: form.Schema{
			{Name: "url", Type: form.Text, Label: "alert.http.url", Help: "alert.http.url.help", Required: true, Literal: true},
			{Name: "requestType", Type: form.Select, Label: "alert.http.method", Default: http.MethodGet, Required: true, Options: []form.Option{
				{Value: http.MethodGet}, {Value: http.MethodPost}, {Value: http.MethodPut},
			}},
			{Name: "headerParams", Type: form.Secret, Label: "alert.http.headers", Help: "alert.http.headers.help", Literal: true},
			{Name: "bodyParams", Type: form.TextArea, Label: "alert.http.body", Help: "alert.http.body.help", VisibleWhen: body, Literal: true},
			{Name: "contentType", Type: form.Select, Label: "alert.http.content_type", Default: typeJSON, Required: true, VisibleWhen: body, Options: []form.Option{
				{Value: typeJSON}, {Value: typeForm},
			}},
			{Name: "timeout", Type: form.Number, Label: "alert.http.timeout", Default: 120.0, Min: new(1.0), Max: new(600.0), Advanced: true},
		},
		Check: checkHTTP,
		Send:  sendHTTP,
	}
}

func checkHTTP(v form.Values) []form.Problem {
	var problems []form.Problem
	if u, err := url.Parse(fill(v.Text("url"), func(string) string { return "x" })); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		problems = append(problems, form.Problem{Field: "url", Key: "alert.error.url"})
	}
	for _, name := range []string{"headerParams", "bodyParams"} {
		if _, err := object(v.Text(name)); err != nil {
			problems = append(problems, form.Problem{Field: name, Key: "alert.error.object"})
		}
	}
	return problems
}

// object reads a JSON object of texts; nothing is an empty one.
func object(text string) (form.Flat, error) {
	return form.ReadFlat([]byte(strings.TrimSpace(text)))
}

// fill replaces the placeholders that name returns a text for.
func fill(text string, value func(name string) string) string {
	for _, name := range []string{"msg", "title", "alertType"} {
		if strings.Contains(text, "${"+name+"}") {
			text = strings.ReplaceAll(text, "${"+name+"}", value(name))
		}
	}
	return text
}

func sendHTTP(ctx context.Context, v form.Values, m alert.Message) (string, error) {
	value := func(name string) string {
		switch name {
		case "msg":
			return m.Content
		case "title":
			return m.Title
		default:
			return m.Kind
		}
	}
	header, err := object(v.Text("headerParams"))
	if err != nil {
		return "", fmt.Errorf("%w: headers", alert.ErrSettings)
	}
	c := alert.Call{
		Method: v.Text("requestType"), Header: map[string]string{}, Timeout: time.Duration(v.Number("timeout")) * time.Second,
		URL: fill(v.Text("url"), func(name string) string { return url.QueryEscape(value(name)) }),
	}
	for name, text := range header {
		c.Header[name] = strings.NewReplacer("\r", " ", "\n", " ").Replace(fill(text, value))
	}
	if c.Method != http.MethodGet {
		if err := httpBody(&c, v, value); err != nil {
			return "", err
		}
	}
	a, err := c.Do(ctx)
	if err != nil {
		return "", err
	}
	if a.Status < 200 || a.Status > 299 {
		return "", a.Refused()
	}
	return a.Text(), nil
}

// httpBody fills the body with what bodyParams says: the members of an object, with placeholders in their values.
func httpBody(c *alert.Call, v form.Values, value func(string) string) error {
	kind := v.Text("contentType")
	c.Header["Content-Type"] = kind
	if kind == typeForm {
		members, err := object(v.Text("bodyParams"))
		if err != nil {
			return fmt.Errorf("%w: body", alert.ErrSettings)
		}
		values := url.Values{}
		for name, text := range members {
			values.Set(name, fill(text, value))
		}
		c.Body = []byte(values.Encode())
		return nil
	}
	c.Header["Content-Type"] = kind + "; charset=utf-8"
	members := map[string]any{}
	if text := strings.TrimSpace(v.Text("bodyParams")); text != "" {
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			return fmt.Errorf("%w: body", alert.ErrSettings)
		}
	}
	var err error
	c.Body, err = alert.EncodeJSON(filled(members, value))
	return err
}

// filled fills every text of a JSON value, however deep.
func filled(v any, value func(string) string) any {
	switch x := v.(type) {
	case string:
		return fill(x, value)
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = filled(e, value)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = filled(e, value)
		}
		return out
	default:
		return v
	}
}
