package schedule

import (
	"context"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/views/components"
)

// unit is one tab of the builder.
type unit struct {
	key, label string
	name       string // in "every 5 minutes"
	every      string
	lo, hi     int
}

func units(ctx context.Context) []unit {
	list := []unit{
		{key: "second", hi: 59},
		{key: "minute", hi: 59},
		{key: "hour", hi: 23},
		{key: "day", lo: 1, hi: 31},
		{key: "month", lo: 1, hi: 12},
		{key: "year", lo: 1970, hi: 2099},
	}
	for n := range list {
		u := &list[n]
		u.label, u.name, u.every = i18n.T(ctx, "cron.field."+u.key), i18n.T(ctx, "cron.unit."+u.key), i18n.T(ctx, "cron.every."+u.key)
	}
	return list
}

// yearsShown is how many years, from this one, can be ticked; any other can be typed.
const yearsShown = 10

// first and last are the values that can be ticked.
func (u unit) first() int {
	if u.key == "year" {
		return time.Now().Year()
	}
	return u.lo
}

func (u unit) last() int {
	if u.key == "year" {
		return min(u.hi, u.first()+yearsShown-1)
	}
	return u.hi
}

func (u unit) steps() int { return min(u.hi, u.hi-u.lo+1) }

func (u unit) valueLabel(ctx context.Context, v int) string {
	if u.key == "month" {
		return i18n.T(ctx, "cron.month."+strconv.Itoa(v))
	}
	return strconv.Itoa(v)
}

func weekday(ctx context.Context, d int) string { return i18n.T(ctx, "cron.weekday."+strconv.Itoa(d)) }

func tabindex(n int) string {
	if n == 0 {
		return "0"
	}
	return "-1"
}

// presets are the expressions on offer.
func presets(ctx context.Context) []components.Option {
	var list []components.Option
	for _, p := range [][2]string{
		{"minutes", "0 0/5 * * * ? *"},
		{"hourly", "0 0 * * * ? *"},
		{"daily", "0 0 1 * * ? *"},
		{"workdays", "0 0 8 ? * MON-FRI *"},
		{"weekly", "0 0 1 ? * MON *"},
		{"monthly", "0 0 1 1 * ? *"},
		{"last_day", "0 0 23 L * ? *"},
		{"last_workday", "0 0 18 LW * ? *"},
		{"quarterly", "0 0 1 1 1/3 ? *"},
	} {
		list = append(list, components.Option{Value: p[1], Label: i18n.T(ctx, "cron.preset."+p[0])})
	}
	return list
}

// props are the form around the fields.
func (p Form) props(ctx context.Context) components.FormProps {
	f := components.FormProps{Title: p.Title, Text: p.Text, Action: p.Action, CancelURL: p.CancelURL, Error: p.Error, Wide: true, ID: "timing-form", Test: "timing.form"}
	if p.Fixed {
		f.Submit, f.SubmitIcon = i18n.T(ctx, "timing.offline"), "power-off"
	}
	return f
}
