package catalog

import (
	"errors"
	"fmt"
	"slices"

	"dorado/plugins/alert"
	"dorado/plugins/alert/email"
	"dorado/plugins/alert/script"
	"dorado/plugins/alert/webhook"
)

// Alerts finds alert plugins. It never changes and may be used from everywhere at once.
type Alerts struct {
	all    []alert.Plugin
	byName map[string]alert.Plugin
	byID   map[int]alert.Plugin
}

// BuiltinAlerts returns the alert plugins of this program; scripts is the folder that scripts for alerts lie in.
func BuiltinAlerts(scripts string) (*Alerts, error) {
	return NewAlerts(slices.Concat([]alert.Plugin{email.Plugin()}, webhook.Plugins(), []alert.Plugin{script.Plugin(scripts)}))
}

// NewAlerts returns a catalogue of alert plugins. It refuses one that is incomplete or listed twice.
func NewAlerts(plugins []alert.Plugin) (*Alerts, error) {
	a := &Alerts{all: slices.Clone(plugins), byName: map[string]alert.Plugin{}, byID: map[int]alert.Plugin{}}
	var problems []error
	for _, p := range plugins {
		if err := p.Validate(); err != nil {
			problems = append(problems, err)
		}
		_, name := a.byName[p.Name]
		if _, id := a.byID[p.ID]; name || id {
			problems = append(problems, fmt.Errorf("catalog: alert plugin %q, number %d, is listed twice", p.Name, p.ID))
		}
		a.byName[p.Name], a.byID[p.ID] = p, p
	}
	return a, errors.Join(problems...)
}

// All returns every alert plugin in the order in which they are offered.
func (a *Alerts) All() []alert.Plugin { return slices.Clone(a.all) }

// Named returns the plugin of this name.
func (a *Alerts) Named(name string) (alert.Plugin, bool) { p, ok := a.byName[name]; return p, ok }

// Numbered returns the plugin that clients know by this number.
func (a *Alerts) Numbered(id int) (alert.Plugin, bool) { p, ok := a.byID[id]; return p, ok }
