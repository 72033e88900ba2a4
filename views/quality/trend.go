package quality

import (
	"context"
	"slices"
	"strconv"
	"time"

	"dorado/app/kit/i18n"
	"dorado/views/components"
)

// notJudged is the state of a result that could not be compared with anything.
const notJudged = "NONE"

// The picture of a trend, in its own units.
const (
	chartWidth = 1000
	chartLeft  = 70
	chartTop   = 10
	chartFoot  = 140
	widestBar  = 40
)

// Trend is what a task measured, one attempt after the other.
type Trend struct {
	Label  string
	Top    string // the value of the tallest bar
	Values []Value
}

// Value is what one attempt measured.
type Value struct {
	Text   string
	At     time.Time
	State  string
	Height int    // percent of the tallest
	URL    string // "": its run is gone
	Here   bool   // it is the result that is shown
}

func (v Value) title(ctx context.Context) string {
	words := v.Text
	switch {
	case v.State == notJudged && v.URL != "":
		words += ", " + i18n.T(ctx, "quality.state.none")
	case v.URL != "":
		words += ", " + components.StateLabel(ctx, v.State)
	}
	return words + ", " + i18n.DateTime(ctx, v.At)
}

// height never vanishes: a value of nothing leaves a visible stub.
func (v Value) height() int { return 2 + (chartFoot-chartTop-2)*min(max(v.Height, 0), 100)/100 }

// bars is the trend as a row of bars.
func (t Trend) bars(ctx context.Context) components.BarsProps {
	p := components.BarsProps{Label: t.Label}
	for _, v := range t.Values {
		p.Bars = append(p.Bars, components.Bar{State: v.State, Height: v.Height, Title: v.title(ctx), URL: v.URL})
	}
	return p
}

// newest are the values from the last to the first.
func (t Trend) newest() []Value {
	out := slices.Clone(t.Values)
	slices.Reverse(out)
	return out
}

// step is how far bars are apart.
func (t Trend) step() float64 {
	return min(float64(chartWidth-chartLeft)/float64(max(len(t.Values), 1)), widestBar)
}

func (t Trend) x(i int) string { return decimal(chartLeft + 4 + float64(i)*t.step()) }

func (t Trend) width() string { return decimal(t.step() * 0.7) }

func decimal(n float64) string { return strconv.FormatFloat(n, 'f', 1, 64) }

// short is a value that stands beside the axis.
func short(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || len(text) <= 9 {
		return text
	}
	return strconv.FormatFloat(f, 'g', 4, 64)
}

func orDash(text string) string {
	if text == "" {
		return "—"
	}
	return text
}

func trendColumns(ctx context.Context) []components.Column {
	return []components.Column{
		{Label: i18n.T(ctx, "quality.field.at")}, {Label: i18n.T(ctx, "quality.field.state")}, {Label: i18n.T(ctx, "quality.field.actual"), Right: true},
	}
}

// badge is the state beside the title; "" for one that was not judged, which the banner says.
func (r Result) badge() string {
	if r.State == notJudged {
		return ""
	}
	return r.State
}

func (r Result) verdict(ctx context.Context) []components.Datum {
	t := func(key string) string { return i18n.T(ctx, key) }
	expected := r.Expected
	if r.Kind != "" && expected != "" {
		expected += " (" + r.Kind + ")"
	} else if expected == "" {
		expected = r.Kind
	}
	actual := r.Actual
	if r.Name != "" {
		actual += " (" + r.Name + ")"
	}
	return []components.Datum{
		{Label: t("quality.field.state"), Body: state(r.State)},
		{Label: t("quality.field.actual"), Value: actual},
		{Label: t("quality.field.expected"), Value: expected},
		{Label: t("quality.field.check"), Value: r.Check},
		{Label: t("quality.field.threshold"), Value: i18n.T(ctx, "quality.fails_when", "limit", r.Limit)},
		{Label: t("quality.field.strategy"), Value: r.Strategy},
	}
}

func (r Result) where(ctx context.Context) []components.Datum {
	t := func(key string) string { return i18n.T(ctx, key) }
	return []components.Datum{
		{Label: t("quality.field.at"), Body: components.Time(components.TimeProps{At: r.At})},
		{Label: t("quality.field.task"), Value: r.Task, URL: r.TaskURL},
		{Label: t("quality.field.instance"), Value: r.Instance, URL: r.InstanceURL},
		{Label: t("quality.field.project"), Value: r.Project},
		{Label: t("quality.field.user"), Value: r.User},
		{Label: t("quality.field.file"), Value: r.Rows, Mono: true},
	}
}

func (p ResultPage) columns() []components.Column {
	out := make([]components.Column, len(p.Columns))
	for i, name := range p.Columns {
		out[i].Label = name
	}
	return out
}

func rowsText(ctx context.Context, p ResultPage) string {
	switch {
	case len(p.Cells) == 0:
		return ""
	case p.More:
		return i18n.T(ctx, "quality.rows.first", "count", len(p.Cells), "file", p.Result.Rows)
	}
	return i18n.T(ctx, "quality.rows.all", "count", len(p.Cells))
}

func noRows(ctx context.Context, r Result) string {
	if r.Rows != "" {
		return i18n.T(ctx, "quality.rows.hint", "file", r.Rows)
	}
	return i18n.T(ctx, "quality.rows.none")
}
