package webhook

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dorado/plugins/alert"
	"dorado/plugins/form"
)

// Alertmanager posts to Prometheus Alertmanager.
func Alertmanager() alert.Plugin {
	return alert.Plugin{
		ID: 12, Name: "Prometheus AlertManager", Label: "alert.alertmanager", Help: "alert.alertmanager.help",
		Schema: form.Schema{
			{Name: "url", Type: form.Text, Label: "alert.alertmanager.url", Required: true, Placeholder: "alert.alertmanager.url.example"},
			{Name: "annotations", Type: form.TextArea, Label: "alert.alertmanager.annotations", Help: "alert.alertmanager.annotations.help"},
			{Name: "generatorURL", Type: form.Text, Label: "alert.alertmanager.generator", Advanced: true},
		},
		Check: func(v form.Values) []form.Problem {
			if _, err := object(v.Text("annotations")); err != nil {
				return []form.Problem{{Field: "annotations", Key: "alert.error.object"}}
			}
			return nil
		},
		Send: sendAlertmanager,
	}
}

type managerAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// lasting are the keys that are the same whenever the same thing happens; alerts are grouped by them. Everything else, such
// as numbers of runs and times, tells one from the other and is an annotation.
var lasting = []string{"projectName", "processName", "processDefinitionCode", "taskName", "taskCode", "taskType", "owner", "type", "workerGroup"}

func sendAlertmanager(ctx context.Context, v form.Values, m alert.Message) (string, error) {
	extra, err := object(v.Text("annotations"))
	if err != nil {
		return "", fmt.Errorf("%w: annotations", alert.ErrSettings)
	}
	severity := "critical"
	if m.Warning == "SUCCESS" {
		severity = "info"
	}
	rows := m.Table().Rows
	if len(rows) == 0 {
		rows = []alert.Row{{}}
	}
	var list []managerAlert
	for _, r := range rows {
		a := managerAlert{
			Labels:      map[string]string{"alertname": m.Kind, "severity": severity, "title": m.Title},
			Annotations: extra.Clone(), StartsAt: m.At.UTC().Format(time.RFC3339Nano), GeneratorURL: v.Text("generatorURL"),
		}
		for k, value := range r.Values {
			a.Annotations[labelName(k)] = value.Text
		}
		for _, k := range lasting {
			if value, ok := r.Values[k]; ok && value.Text != "" {
				a.Labels[labelName(k)] = value.Text
				delete(a.Annotations, labelName(k))
			}
		}
		list = append(list, a)
	}
	a, err := alert.Call{URL: strings.TrimRight(v.Text("url"), "/") + "/api/v2/alerts", JSON: list}.Do(ctx)
	if err != nil {
		return "", err
	}
	if a.Status != 200 {
		return "", a.Refused()
	}
	return a.Text(), nil
}

// labelName makes s a name that Prometheus takes.
func labelName(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else {
			b.WriteByte('_')
		}
	}
	return b.String()
}
