package instance

import (
	"context"
	"hash/fnv"
	"net/url"
	"strconv"

	"dorado/app/kit/i18n"
	"dorado/views/components"
)

func (p ListPage) columns(ctx context.Context) []components.Column {
	plain := func(key string, drop int) components.Column {
		return components.Column{Label: i18n.T(ctx, "instance.field."+key), Drop: drop}
	}
	sorted := func(key, label string, drop int) components.Column {
		c := p.List.Column(key, i18n.T(ctx, "instance.field."+label))
		c.Drop = drop
		return c
	}
	right := func(c components.Column) components.Column {
		c.Right = true
		return c
	}
	columns := []components.Column{
		sorted("name", "name", 0), sorted("state", "state", 0), plain("progress", 2), plain("trigger", 3),
		sorted("start", "start", 1), right(plain("duration", 1)), right(plain("run_times", 3)), plain("executor", 2),
		{Label: i18n.T(ctx, "instance.field.actions"), Hidden: true},
	}
	if p.BatchURL != "" {
		columns = append([]components.Column{{All: "batch"}}, columns...)
	}
	return columns
}

// liveKey changes with the rows shown, which the address of their stream names, so that the stream of other rows is closed.
func liveKey(eventsURL string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(eventsURL)) // a hash never fails to write
	return strconv.FormatUint(h.Sum64(), 36)
}

// near are the actions shown as buttons: those that are possible, at most three.
func (r Row) near() []Action {
	var out []Action
	for _, a := range r.Actions {
		if a.Disabled == "" && !a.Danger && len(out) < 3 {
			out = append(out, a)
		}
	}
	return out
}

// menu lists every action; those not possible now say why.
func (r Row) menu() []components.MenuItem { return menu(r.Actions, r.Next) }

func menu(actions []Action, next string) []components.MenuItem {
	items := make([]components.MenuItem, 0, len(actions))
	for _, a := range actions {
		items = append(items, components.MenuItem{
			Label: a.Label, Icon: a.Icon, URL: a.URL + "?" + url.Values{"op": {a.Op}, "next": {next}}.Encode(), Dialog: a.Dialog, Post: !a.Dialog, Danger: a.Danger, Disabled: a.Disabled,
			Test: "menu." + a.Op,
		})
	}
	return items
}

func percent(done, total int) string {
	if total <= 0 {
		return "0"
	}
	return strconv.Itoa(min(100, 100*done/total))
}

func succeeded(list []Result) int {
	n := 0
	for _, r := range list {
		if r.OK {
			n++
		}
	}
	return n
}

func resultState(r Result) string {
	if r.OK {
		return "SUCCESS"
	}
	return "FAILURE"
}

func batchKind(op string) string {
	if op == "DELETE" {
		return components.KindDanger
	}
	return ""
}
