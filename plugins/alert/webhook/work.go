package webhook

import (
	"context"

	"dorado/plugins/alert"
	"dorado/plugins/form"
)

// Teams sends a card to a workflow of Microsoft Teams.
func Teams() alert.Plugin {
	return alert.Plugin{
		ID: 7, Name: "Teams", Label: "alert.teams", Help: "alert.teams.help",
		Schema: form.Schema{address("webHook")},
		Send:   sendTeams,
	}
}

type teamsBody struct {
	Type        string            `json:"type"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	ContentType string    `json:"contentType"`
	Content     teamsCard `json:"content"`
}

type teamsCard struct {
	Schema  string `json:"$schema"`
	Type    string `json:"type"`
	Version string `json:"version"`
	Body    []any  `json:"body"`
}

type teamsText struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Weight string `json:"weight,omitempty"`
	Wrap   bool   `json:"wrap"`
}

type teamsFacts struct {
	Type  string      `json:"type"`
	Facts []teamsFact `json:"facts"`
}

type teamsFact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

func sendTeams(ctx context.Context, v form.Values, m alert.Message) (string, error) {
	card := teamsCard{Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4"}
	card.Body = append(card.Body, teamsText{Type: "TextBlock", Text: m.Title, Weight: "Bolder", Wrap: true})
	rows := m.Table().Rows
	for _, r := range rows[:min(len(rows), 20)] { // a card has 28 KB
		facts := teamsFacts{Type: "FactSet"}
		for _, k := range r.Keys {
			facts.Facts = append(facts.Facts, teamsFact{k, r.Values[k].Text})
		}
		card.Body = append(card.Body, facts)
	}
	a, err := alert.Call{URL: v.Text("webHook"), JSON: teamsBody{Type: "message", Attachments: []teamsAttachment{
		{ContentType: "application/vnd.microsoft.card.adaptive", Content: card},
	}}}.Do(ctx)
	if err != nil {
		return "", err
	}
	if a.Status != 200 && a.Status != 202 {
		return "", a.Refused()
	}
	return a.Text(), nil
}

const webexURL = "https://webexapis.com/v1/messages"

// WebexTeams sends as a bot of Webex. target is where the service takes messages.
func WebexTeams(target string) alert.Plugin {
	when := func(value string) *form.Condition { return &form.Condition{Field: "Destination", In: []string{value}} }
	return alert.Plugin{
		ID: 8, Name: "WebexTeams", Label: "alert.webex", Help: "alert.webex.help",
		Schema: form.Schema{
			{Name: "BotAccessToken", Type: form.Secret, Label: "alert.webex.token", Required: true},
			{Name: "Destination", Type: form.Select, Label: "alert.webex.destination", Default: "roomId", Required: true, Options: []form.Option{
				{Value: "roomId", Label: "alert.webex.room"}, {Value: "personEmail", Label: "alert.webex.email"}, {Value: "personId", Label: "alert.webex.person"},
			}},
			{Name: "RoomId", Type: form.Text, Label: "alert.webex.room", Required: true, VisibleWhen: when("roomId")},
			{Name: "ToPersonId", Type: form.Text, Label: "alert.webex.person", Required: true, VisibleWhen: when("personId")},
			{Name: "ToPersonEmail", Type: form.Text, Label: "alert.webex.email", Required: true, VisibleWhen: when("personEmail")},
			{Name: "AtSomeoneInRoom", Type: form.Text, Label: "alert.webex.at", Help: "alert.commas", VisibleWhen: when("roomId"), Advanced: true},
		},
		Send: func(ctx context.Context, v form.Values, m alert.Message) (string, error) {
			return sendWebex(ctx, target, v, m)
		},
	}
}

type webexBody struct {
	RoomID   string `json:"roomId,omitempty"`
	Email    string `json:"toPersonEmail,omitempty"`
	PersonID string `json:"toPersonId,omitempty"`
	Markdown string `json:"markdown"`
}

func sendWebex(ctx context.Context, target string, v form.Values, m alert.Message) (string, error) {
	body := webexBody{Markdown: m.KeyValueText()}
	switch v.Text("Destination") {
	case "personEmail":
		body.Email = v.Text("ToPersonEmail")
	case "personId":
		body.PersonID = v.Text("ToPersonId")
	default:
		body.RoomID = v.Text("RoomId")
		for _, who := range list(v.Text("AtSomeoneInRoom")) {
			body.Markdown += " <@personEmail:" + who + ">"
		}
	}
	a, err := alert.Call{URL: target, JSON: body, Header: map[string]string{"Authorization": "Bearer " + v.Text("BotAccessToken")}}.Do(ctx)
	if err != nil {
		return "", err
	}
	if a.Status != 200 {
		return "", a.Refused()
	}
	return "", nil
}

const pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// PagerDuty triggers an event. target is where the service takes them.
func PagerDuty(target string) alert.Plugin {
	return alert.Plugin{
		ID: 9, Name: "PagerDuty", Label: "alert.pagerduty", Help: "alert.pagerduty.help",
		Schema: form.Schema{{Name: "IntegrationKey", Type: form.Secret, Label: "alert.pagerduty.key", Required: true}},
		Send: func(ctx context.Context, v form.Values, m alert.Message) (string, error) {
			return sendPagerDuty(ctx, target, v, m)
		},
	}
}

type pagerBody struct {
	RoutingKey  string       `json:"routing_key"`
	EventAction string       `json:"event_action"`
	DedupKey    string       `json:"dedup_key,omitempty"`
	Payload     pagerPayload `json:"payload"`
}

type pagerPayload struct {
	Summary  string `json:"summary"`
	Source   string `json:"source"`
	Severity string `json:"severity"`
	Details  string `json:"custom_details"`
}

func sendPagerDuty(ctx context.Context, target string, v form.Values, m alert.Message) (string, error) {
	severity := "critical"
	if m.Warning == "SUCCESS" {
		severity = "info"
	}
	a, err := alert.Call{URL: target, JSON: pagerBody{
		RoutingKey: v.Text("IntegrationKey"), EventAction: "trigger", DedupKey: m.Key,
		Payload: pagerPayload{Summary: firstRunes(m.Title, 1024), Source: "Dorado", Severity: severity, Details: m.Table().Lines()},
	}}.Do(ctx)
	if err != nil {
		return "", err
	}
	if a.Status != 200 && a.Status != 202 {
		return "", a.Refused()
	}
	return a.Text(), nil
}
