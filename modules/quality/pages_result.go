package quality

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/project"
	dataquality "dorado/plugins/task/data_quality"
	"dorado/views/components"
	view "dorado/views/quality"
)

// How many values a trend has: in the list, and on the page of a result.
const (
	shortTrend = 18
	longTrend  = 60
)

// find is the result of the address.
func (m *Module) find(r *http.Request) (Result, error) {
	code, err := web.Number(r, "project")
	if err != nil {
		return Result{}, err
	}
	id, err := web.ID(r)
	if err != nil {
		return Result{}, err
	}
	return m.Result(r.Context(), code, id)
}

func (m *Module) result(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	found, err := m.find(r)
	if err != nil {
		return nil, err
	}
	points, err := m.trend(ctx, &found, longTrend)
	if err != nil {
		return nil, err
	}
	rows, err := m.rows(ctx, &found)
	if err != nil {
		return nil, err
	}
	v := view.ResultPage{
		Shell: m.frame.InProject(r, frame.ProjectRef{Code: found.ProjectCode, Name: found.Project}, found.Task,
			components.Crumb{Label: i18n.T(ctx, "quality.results.title"), URL: ResultsPath + "?project=" + strconv.FormatInt(found.ProjectCode, 10)}),
		Result: row(ctx, &found), Trend: bars(ctx, &found, points), ListURL: ResultsPath,
	}
	if rows != nil {
		v.Columns, v.Cells, v.More, v.CSVURL = rows.Columns, rows.Rows, rows.More, v.Result.URL+"/rows.csv"
	}
	return web.Page(view.ResultDetail(v)), nil
}

// rowsCSV is the rows that break the rule, for a spreadsheet.
func (m *Module) rowsCSV(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	found, err := m.find(r)
	if err != nil {
		return nil, err
	}
	rows, err := m.rows(ctx, &found)
	if err != nil {
		return nil, err
	}
	if rows == nil {
		return nil, ErrNoResult.With("id", found.ID)
	}
	name := found.Task + "-" + strconv.FormatInt(found.ID, 10) + "-rows.csv"
	return web.Download(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '_'
		}
		return r
	}, name), func(w io.Writer) error { return writeCSV(w, rows) }), nil
}

// writeCSV writes rows for spreadsheets, which take UTF-8 for something else without a mark.
func writeCSV(w io.Writer, rows *dataquality.Rows) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	line := make([]string, len(rows.Columns))
	for i, name := range rows.Columns {
		line[i] = harmless(name)
	}
	err := out.Write(line)
	for _, row := range rows.Rows {
		line = line[:0]
		for _, value := range row {
			if value == nil {
				line = append(line, "")
				continue
			}
			line = append(line, harmless(*value))
		}
		err = errors.Join(err, out.Write(line))
	}
	out.Flush()
	return errors.Join(err, out.Error())
}

// harmless keeps a spreadsheet from taking a value for a formula; numbers stay what they are.
func harmless(text string) string {
	if text == "" || !strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return text
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return text
	}
	return "'" + text
}

// bars draws the values of a trend. The tallest bar is the one that is farthest from nothing.
func bars(ctx context.Context, r *Result, points []point) view.Trend {
	out := view.Trend{Label: i18n.T(ctx, "quality.trend.label", "count", len(points), "name", r.Found.StatisticsName)}
	values, most := make([]float64, len(points)), 0.0
	for i, p := range points {
		f, err := strconv.ParseFloat(p.Value, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			f = 0
		}
		values[i] = f
		if size := math.Abs(f); size > most {
			most, out.Top = size, p.Value
		}
	}
	for i, p := range points {
		b := view.Value{Text: p.Value, At: p.At, State: p.State, Here: p.ID == r.ID}
		if most > 0 {
			b.Height = int(math.Round(100 * math.Abs(values[i]) / most))
		}
		if p.State != "" {
			b.URL = project.Address(r.ProjectCode, "/task-instances/"+strconv.FormatInt(p.ID, 10)+"/quality")
		} else {
			b.State = unknown
		}
		out.Values = append(out.Values, b)
	}
	return out
}
