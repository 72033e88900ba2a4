package datasource

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/plugins/datasource"
	"dorado/views/components"
	views "dorado/views/datasource"
)

// Project is a project in which a task can be made.
type Project struct {
	Code int64
	Name string
}

// Drawing begins workflows; the module that knows them stands above this one.
type Drawing interface {
	// Drawable lists the projects in which whoever acts may draw workflows.
	Drawable(ctx context.Context) ([]Project, error)
	// Begin keeps a workflow with one task for whoever acts to go on with, and returns the address of its editor.
	Begin(ctx context.Context, project int64, name, kind string, params json.RawMessage) (string, error)
}

// The type of task that runs statements, and how it is told whether a statement has rows.
const (
	sqlTask  = "SQL"
	hasRows  = "0"
	hasNone  = "1"
	showRows = 10 // of an answer, in the log of a task
)

// folded is how many characters of a value are shown at once.
const folded = 120

func (p pages) sqlRoutes(r chi.Router, site *web.Site) {
	const at = Path + "/{id}/sql"
	r.Get(at, site.Handle(p.sql))
	r.Post(at, site.Handle(p.ask))
	r.Get(at+"/tree", site.Handle(p.tree))
	r.Post(at+"/task", site.Handle(p.makeTask))
}

func sqlPath(id int64) string { return Path + "/" + strconv.FormatInt(id, 10) + "/sql" }

// sql is the page on which statements are written.
func (p pages) sql(r *http.Request) (web.Response, error) {
	v, err := p.sqlPage(r, Statement{})
	if err != nil {
		return nil, err
	}
	return web.Page(views.SQL(v)), nil
}

func (p pages) sqlPage(r *http.Request, q Statement) (views.SQLPage, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return views.SQLPage{}, err
	}
	d, err := p.svc.Get(ctx, id)
	if err != nil {
		return views.SQLPage{}, err
	}
	who, _ := access.From(ctx)
	at := q.bounded()
	v := views.SQLPage{
		Name: d.Name, TypeLabel: p.label(d.Type), Address: p.address(d), Path: sqlPath(id), SQL: q.Text, Database: q.Database,
		Rows: at.Rows, MostRows: mostRows, Seconds: int(at.Time / time.Second), MostSeconds: int(mostTime / time.Second), Memory: strconv.FormatInt(who.UserID, 10) + "." + d.key(),
	}
	title := i18n.T(ctx, "datasource.sql.title", "name", d.Name)
	v.Shell = p.frame.Page(r, title, components.Crumb{Label: i18n.T(ctx, "datasource.title"), URL: Path})
	v.Shell.Scripts = append(v.Shell.Scripts, "js/elements/code-field.js", "js/sql.js")
	if p.svc.MayChange(ctx, &d) == nil {
		v.EditURL = p.Address(id, "/edit")
	}
	t, ok := p.svc.types.Type(d.Type)
	switch {
	case !ok:
		v.Missing = i18n.T(ctx, ErrType.Key)
		return v, nil
	case t.Open == nil:
		v.Missing = i18n.T(ctx, t.Missing)
		return v, nil
	}
	v.Connects, v.Quote = t.Lists.Connect, t.Quote()
	if v.Home = p.svc.Shown(d)[datasource.Database]; v.Database == "" && v.Connects {
		v.Database = v.Home
	}
	if p.svc.drawing == nil {
		return v, nil
	}
	projects, err := p.svc.drawing.Drawable(ctx)
	if err != nil {
		return v, err
	}
	for _, one := range projects {
		v.Projects = append(v.Projects, components.Option{Value: strconv.FormatInt(one.Code, 10), Label: one.Name})
	}
	return v, nil
}

func statement(f *web.Form) Statement {
	return Statement{
		Text: strings.ReplaceAll(f.Raw("sql"), "\r\n", "\n"), Database: f.Text("database"), Rows: f.Int("rows"), Time: time.Duration(min(f.Int("seconds"), int(mostTime/time.Second))) * time.Second,
	}
}

// ask answers the form of a statement: with what the database says, as a page or as a file.
func (p pages) ask(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	q := statement(f)
	v, err := p.sqlPage(r, q)
	if err != nil {
		return nil, err
	}
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	if f.Text("do") == "task" {
		v.Choosing = true
		return web.Page(views.SQL(v)), nil
	}
	out, err := p.svc.Ask(ctx, id, q)
	if complaint(err) {
		v.Result = &views.SQLResult{Failure: web.Message(ctx, err)}
		return web.Page(views.SQL(v)).Status(web.Status(fault.KindOf(err))), nil
	}
	if err != nil {
		return nil, err
	}
	if f.Text("do") == "csv" && out.Failure == "" && out.Query {
		return web.Download(v.Name+".csv", func(w io.Writer) error { return writeCSV(w, out.Answer) }), nil
	}
	v.Result = result(ctx, out)
	return web.Page(views.SQL(v)), nil
}

// complaint reports whether the page shows an error beside the statement, which must not be lost.
func complaint(err error) bool {
	for _, one := range []error{ErrNoStatement, ErrStatement, ErrBusy, ErrNoDriver, ErrSettings} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

func result(ctx context.Context, out Outcome) *views.SQLResult {
	took := out.Took.Round(time.Millisecond).Milliseconds()
	v := &views.SQLResult{Failure: out.Failure, Query: out.Query, Took: i18n.T(ctx, "datasource.sql.took", "ms", i18n.Number(ctx, took))}
	if out.Failure != "" {
		switch {
		case out.Spot.Column > 0:
			v.Where = i18n.T(ctx, "datasource.sql.where", "line", out.Spot.Line, "column", out.Spot.Column)
		case out.Spot.Line > 0:
			v.Where = i18n.T(ctx, "datasource.sql.where_line", "line", out.Spot.Line)
		}
		return v
	}
	switch {
	case out.Query:
		v.Summary = i18n.T(ctx, "datasource.sql.rows", "count", len(out.Rows))
	case out.Affected >= 0:
		v.Summary = i18n.T(ctx, "datasource.sql.affected", "count", out.Affected)
	default:
		v.Summary = i18n.T(ctx, "datasource.sql.done")
	}
	switch out.More {
	case datasource.ByRows:
		v.More = i18n.T(ctx, "datasource.sql.more.rows", "count", len(out.Rows))
	case datasource.ByBytes:
		v.More = i18n.T(ctx, "datasource.sql.more.bytes", "size", i18n.Bytes(ctx, mostBytes))
	case datasource.Whole:
	}
	for _, c := range out.Columns {
		v.Columns = append(v.Columns, views.SQLColumn{Name: c.Name, Type: c.Type, Right: numeric(c.Type)})
	}
	for _, row := range out.Rows {
		cells := make([]views.SQLCell, len(row))
		for i, value := range row {
			cells[i] = views.SQLCell{Text: value.Text, Null: value.Null, Cut: value.Cut, Head: head(value.Text)}
		}
		v.Rows = append(v.Rows, cells)
	}
	return v
}

// head is the beginning of a value that is too long, or of too many lines, to be shown at once; else it is empty.
func head(text string) string {
	line, _, lines := strings.Cut(text, "\n")
	if !lines && (len(text) <= folded || utf8.RuneCountInString(text) <= folded) {
		return ""
	}
	return strings.TrimRight(strings.TrimSuffix(cut(line, folded), "…"), "\r") + "…"
}

// numeric reports whether values of a type are numbers, which stand at the right.
func numeric(kind string) bool {
	for _, word := range []string{"int", "float", "double", "decimal", "numeric", "number", "real", "serial", "money"} {
		if strings.Contains(kind, word) && !strings.Contains(kind, "interval") && !strings.Contains(kind, "point") {
			return true
		}
	}
	return false
}

// writeCSV writes rows for spreadsheets, which take UTF-8 for something else without a mark.
func writeCSV(w io.Writer, a datasource.Answer) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	line := make([]string, len(a.Columns))
	for i, c := range a.Columns {
		line[i] = harmless(c.Name)
	}
	err := out.Write(line)
	for _, row := range a.Rows {
		for i, v := range row {
			line[i] = harmless(v.Text)
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

// tree lists what is below a place in the data source: databases, the tables of one, the columns of one of those.
func (p pages) tree(r *http.Request) (web.Response, error) {
	ctx, q := r.Context(), r.URL.Query()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	database, table := q.Get("database"), q.Get("table")
	answer := func(kind string, list any, err error) (web.Response, error) {
		if errors.Is(err, ErrConnect) { // this page is well, the database is not
			return web.JSON(http.StatusOK, map[string]string{"failure": web.Message(ctx, err)}), nil
		}
		if err != nil {
			return nil, err
		}
		return web.JSON(http.StatusOK, map[string]any{kind: list}), nil
	}
	switch {
	case table != "":
		columns, err := p.svc.Columns(ctx, id, database, table)
		type column struct {
			Name string `json:"name"`
			Type string `json:"type"`
		}
		out := make([]column, len(columns))
		for i, c := range columns {
			out[i] = column(c)
		}
		return answer("columns", out, err)
	case database != "":
		tables, err := p.svc.Tables(ctx, id, database)
		return answer("tables", append([]string{}, tables...), err)
	}
	databases, err := p.svc.Databases(ctx, id)
	return answer("databases", append([]string{}, databases...), err)
}

// makeTask begins a workflow with the statement as its task.
func (p pages) makeTask(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	q := statement(f)
	v, err := p.sqlPage(r, q)
	if err != nil {
		return nil, err
	}
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	project := f.Int64("project")
	if v.Missing != "" || p.svc.drawing == nil || project == 0 || strings.TrimSpace(q.Text) == "" {
		v.Choosing = true
		if project == 0 {
			v.ProjectError = i18n.T(ctx, "security.required")
		}
		return web.Page(views.SQL(v)).Status(http.StatusUnprocessableEntity), nil
	}
	params, err := p.svc.task(ctx, id, q)
	if err != nil {
		return nil, err
	}
	to, err := p.svc.drawing.Begin(ctx, project, v.Name, sqlTask, params)
	if err != nil {
		return nil, err
	}
	return web.Redirect(to), nil
}

// task is a statement as the settings of a task.
func (s *Service) task(ctx context.Context, id int64, q Statement) (json.RawMessage, error) {
	d, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	kind := hasNone
	if datasource.Asks(q.Text) {
		kind = hasRows
	}
	return json.Marshal(map[string]any{
		"type": d.Type, "datasource": d.ID, "sql": datasource.Bare(q.Text), "sqlType": kind, "displayRows": showRows,
		"preStatements": []string{}, "postStatements": []string{}, "localParams": []string{}, "resourceList": []string{},
	})
}
