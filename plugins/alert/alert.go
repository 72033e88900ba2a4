package alert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dorado/plugins/form"
)

// Plugin describes one way to send alerts. Label and Help are message keys.
type Plugin struct {
	ID     int    // the number that clients know it by; never changed
	Name   string // stored in instances; never changed
	Label  string
	Help   string
	Schema form.Schema
	// Check returns problems that one field alone does not show; it is called with values that passed the schema. May be nil.
	Check func(form.Values) []form.Problem
	// Send tells m. What it returns is a sentence about it, or what the receiver answered.
	Send func(ctx context.Context, values form.Values, m Message) (answer string, err error)
}

// Message is what is told.
type Message struct {
	Key     string    // the same for every attempt to send the same alert
	Title   string    // one line
	Content string    // a JSON list of flat objects; see Table
	Kind    string    // what it is about, in the words of DolphinScheduler: WORKFLOW_INSTANCE_FAILURE, …
	Warning string    // SUCCESS, FAILURE, or NONE
	At      time.Time // of this attempt
}

// ErrSettings says that an instance cannot be used as it is configured.
var ErrSettings = errors.New("the settings are not complete")

// Validate reports what makes p unusable as a plugin.
func (p Plugin) Validate() error {
	if p.ID <= 0 || p.Name == "" || p.Label == "" || p.Help == "" || p.Send == nil {
		return fmt.Errorf("alert: plugin %q: number, name, label, help and a way to send are required", p.Name)
	}
	var problems []error
	seen := map[string]bool{}
	for _, f := range p.Schema {
		if f.Name == "" || f.Label == "" || seen[f.Name] {
			problems = append(problems, fmt.Errorf("alert: plugin %q: field %q needs a unique name and a label", p.Name, f.Name))
		}
		seen[f.Name] = true
		if f.VisibleWhen != nil {
			if _, ok := p.Schema.Field(f.VisibleWhen.Field); !ok {
				problems = append(problems, fmt.Errorf("alert: plugin %q: field %q depends on unknown %q", p.Name, f.Name, f.VisibleWhen.Field))
			}
		}
	}
	return errors.Join(problems...)
}

// Keys lists every message key that p mentions.
func (p Plugin) Keys() []string { return append([]string{p.Label, p.Help}, p.Schema.Keys()...) }

// Decode reads settings and returns them with everything that is wrong, Check included.
func (p Plugin) Decode(settings form.Flat) (form.Values, []form.Problem) {
	values, problems := form.Decode(p.Schema, settings.JSON())
	if len(problems) == 0 && p.Check != nil {
		problems = p.Check(values)
	}
	return values, problems
}

// maxAnswer bounds what is kept of an answer or of an error, in bytes.
const maxAnswer = 2000

// Deliver sends m with these settings, secrets included. Neither the answer nor the error holds any of the secrets. It
// returns ErrSettings.
func (p Plugin) Deliver(ctx context.Context, settings form.Flat, m Message) (answer string, err error) {
	values, problems := p.Decode(settings)
	if len(problems) > 0 {
		return "", fmt.Errorf("%w: %s", ErrSettings, problems[0].Field)
	}
	answer, err = p.Send(ctx, values, m)
	strike := p.striker(settings)
	if err != nil {
		err = &deliveryError{text: cut(strike.Replace(err.Error())), cause: err}
	}
	return cut(strike.Replace(answer)), err
}

// deliveryError says what went wrong without the secrets; errors.Is still sees the cause.
type deliveryError struct {
	text  string
	cause error
}

func (e *deliveryError) Error() string { return e.text }

// Is reports whether the cause is target.
func (e *deliveryError) Is(target error) bool { return errors.Is(e.cause, target) }

// striker replaces the secrets, and what addresses hold of them.
func (p Plugin) striker(settings form.Flat) *strings.Replacer {
	_, secrets := p.Schema.Split(settings)
	var pairs []string
	for _, s := range secrets {
		if len(s) < 3 { // striking out single letters would leave nothing readable, and hides nothing
			continue
		}
		pairs = append(pairs, s, form.Mask)
		if _, query, ok := strings.Cut(s, "?"); ok && len(query) > 5 { // errors of HTTP quote a part of the address
			pairs = append(pairs, query, form.Mask)
		}
	}
	return strings.NewReplacer(pairs...)
}

func cut(s string) string {
	if len(s) <= maxAnswer {
		return s
	}
	return strings.ToValidUTF8(s[:maxAnswer], "") + "…"
}
