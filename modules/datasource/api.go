package datasource

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/plugins/datasource"
	"dorado/plugins/form"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

func (a api) routes(r chi.Router) {
	known := dsapi.Faults{ErrNotFound.Key: 20004, ErrNameTaken.Key: 10015, ErrNote.Key: 1400004, ErrConnect.Key: 10037}
	e := a.rest.Faults(known)
	bad := func(code dsapi.Code) *dsapi.API { // settings that are wrong have the code of the call they came with
		return e.Faults(dsapi.Faults{ErrSettings.Key: code, ErrType.Key: code, ErrPassword.Key: code})
	}
	lists := e.Faults(dsapi.Faults{ErrConnect.Key: 10016, ErrNoTables.Key: 10016})
	r.Post("/datasources", bad(10033).Created(10033, a.create))
	r.Get("/datasources", e.OK(10035, a.page))
	r.Get("/datasources/list", bad(10035).OK(10035, a.list))
	r.Post("/datasources/connect", bad(10036).OK(10036, a.connect))
	r.Get("/datasources/verify-name", e.OK(10039, a.verify))
	r.Get("/datasources/unauth-datasource", e.OK(10040, a.granted(true)))
	r.Get("/datasources/authed-datasource", e.OK(10041, a.granted(false)))
	r.Get("/datasources/kerberos-startup-state", e.OK(100001, a.kerberos))
	r.Get("/datasources/tables", lists.OK(1200018, a.tables))
	r.Get("/datasources/tableColumns", lists.OK(1200019, a.columns))
	r.Get("/datasources/databases", lists.Faults(dsapi.Faults{ErrNotFound.Key: 10035}).OK(1200035, a.databases))
	r.Get("/data-quality/getDatasourceOptionsById", bad(1200017).OK(1200017, a.choices))
	r.Get("/datasources/{id}", e.OK(10035, a.get))
	r.Put("/datasources/{id}", bad(10034).OK(10034, a.update))
	r.Delete("/datasources/{id}", e.OK(10038, a.remove))
	r.Get("/datasources/{id}/connect-test", e.OK(10037, a.test))
}

// dsSource is a data source as clients know it.
type dsSource struct {
	ID         int64      `json:"id"`
	UserID     int64      `json:"userId"`
	UserName   *string    `json:"userName"`
	Name       string     `json:"name"`
	Note       string     `json:"note"`
	Type       string     `json:"type"`
	Params     string     `json:"connectionParams"`
	CreateTime dsapi.Time `json:"createTime"`
	UpdateTime dsapi.Time `json:"updateTime"`
}

func (a api) toDS(d DataSource) dsSource {
	return dsSource{
		ID: d.ID, UserID: d.UserID, UserName: dsapi.OrNull(d.UserName), Name: d.Name, Note: d.Note, Type: d.Type, Params: a.svc.ConnectionParams(d),
		CreateTime: dsapi.Time(d.CreatedAt), UpdateTime: dsapi.Time(d.UpdatedAt),
	}
}

func (a api) all(list []DataSource) []dsSource {
	out := make([]dsSource, 0, len(list))
	for _, d := range list {
		out = append(out, a.toDS(d))
	}
	return out
}

// draft reads the body: one object with the fields of the type beside name and note.
func draft(p *dsapi.Params) (d Draft, id int64, err error) {
	var body json.RawMessage
	if err := p.JSON(&body); err != nil {
		return d, 0, err
	}
	flat, err := form.ReadFlat(body)
	if err != nil {
		return d, 0, &dsapi.ParamError{Name: "body"}
	}
	if text := flat["id"]; text != "" {
		if id, err = strconv.ParseInt(text, 10, 64); err != nil {
			return d, 0, &dsapi.ParamError{Name: "id"}
		}
	}
	d = Draft{Name: flat["name"], Note: flat["note"], Type: flat["type"], Settings: flat}
	for _, name := range []string{"id", "name", "note", "type"} {
		delete(flat, name)
	}
	return d, id, nil
}

func (a api) create(r *http.Request, p *dsapi.Params) (any, error) {
	d, _, err := draft(p)
	if err != nil {
		return nil, err
	}
	made, err := a.svc.Create(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return a.saved(r, made)
}

func (a api) update(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	d, _, err := draft(p)
	if err != nil {
		return nil, err
	}
	changed, err := a.svc.Update(r.Context(), id, d, time.Time{})
	if err != nil {
		return nil, err
	}
	return a.saved(r, changed)
}

// saved answers with what was saved; 3.2.0 had nothing to say.
func (a api) saved(r *http.Request, s DataSource) (any, error) {
	if dsapi.Exact(r.Context()) {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return a.toDS(s), nil
}

// get answers with what was typed, as forms of clients want it.
func (a api) get(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	d, err := a.svc.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"id": d.ID, "name": d.Name, "note": d.Note, "type": d.Type}
	shown := a.svc.Shown(d)
	t, _ := a.svc.types.Type(d.Type)
	for _, f := range t.Schema {
		text, ok := shown[f.Name]
		switch {
		case f.Name == datasource.Other:
			var other map[string]any
			if json.Unmarshal([]byte(text), &other) != nil {
				other = nil
			}
			out[f.Name] = other
		case f.Type == form.Number && ok:
			if n, err := strconv.Atoi(text); err == nil {
				out[f.Name] = n
			}
		case ok:
			out[f.Name] = text
		default:
			out[f.Name] = nil
		}
	}
	return out, nil
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	spec := Spec()
	spec.Search = []string{"d.name"}
	page, err := a.svc.Page(r.Context(), listing.New(spec, no, size, p.Text("searchVal")))
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, a.toDS), nil
}

func (a api) list(r *http.Request, p *dsapi.Params) (any, error) {
	kind := p.RequiredText("type")
	if err := p.Err(); err != nil {
		return nil, err
	}
	t, ok := a.svc.types.Type(kind)
	if !ok {
		return nil, ErrType
	}
	list, err := a.svc.All(r.Context(), t.Type)
	if err != nil {
		return nil, err
	}
	return a.all(list), nil
}

func (a api) connect(r *http.Request, p *dsapi.Params) (any, error) {
	d, id, err := draft(p)
	if err != nil {
		return nil, err
	}
	if _, err := a.svc.Try(r.Context(), id, d); err != nil {
		return nil, err
	}
	return true, nil
}

func (a api) test(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if _, err := a.svc.Test(r.Context(), id); err != nil {
		return nil, err
	}
	return true, nil
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.svc.Delete(r.Context(), id); err != nil {
		return nil, err
	}
	return true, nil
}

func (a api) verify(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("name")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.svc.CheckName(r.Context(), name); err != nil {
		return nil, err
	}
	return true, nil
}

func (a api) granted(others bool) dsapi.Func {
	return func(r *http.Request, p *dsapi.Params) (any, error) {
		user := p.RequiredInt64("userId")
		if err := p.Err(); err != nil {
			return nil, err
		}
		list, err := a.svc.Granted(r.Context(), user, others)
		if err != nil {
			return nil, err
		}
		return a.all(list), nil
	}
}

// kerberos says whether data sources sign in by Kerberos: no driver of this version does.
func (a api) kerberos(r *http.Request, _ *dsapi.Params) (any, error) {
	if err := a.svc.access.Require(r.Context(), View); err != nil {
		return nil, err
	}
	return false, nil
}

// choices are the data sources of a type, which is given by its number, as choices of a form.
func (a api) choices(r *http.Request, p *dsapi.Params) (any, error) {
	code := p.RequiredInt("datasourceId")
	if err := p.Err(); err != nil {
		return nil, err
	}
	t, ok := a.svc.types.Type(strconv.Itoa(code))
	if !ok {
		return nil, ErrType
	}
	list, err := a.svc.All(r.Context(), t.Type)
	if err != nil {
		return nil, err
	}
	out := make([]dsOption, 0, len(list))
	for _, d := range list {
		out = append(out, dsOption{Label: d.Name, Value: d.key()})
	}
	return out, nil
}

// dsOption is a choice of a form of clients.
type dsOption struct {
	Label    string `json:"label"`
	Value    string `json:"value"`
	Disabled bool   `json:"disabled"`
}

// options are names as choices; nothing is null.
func options(names []string) any {
	if len(names) == 0 {
		return nil
	}
	out := make([]dsOption, 0, len(names))
	for _, n := range names {
		out = append(out, dsOption{Label: n, Value: n})
	}
	return out
}

func (a api) databases(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.RequiredInt64("datasourceId")
	if err := p.Err(); err != nil {
		return nil, err
	}
	names, err := a.svc.Databases(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return options(names), nil
}

func (a api) tables(r *http.Request, p *dsapi.Params) (any, error) {
	id, database := p.RequiredInt64("datasourceId"), p.RequiredText("database")
	if err := p.Err(); err != nil {
		return nil, err
	}
	names, err := a.svc.Tables(r.Context(), id, database)
	if err != nil {
		return nil, err
	}
	return options(names), nil
}

func (a api) columns(r *http.Request, p *dsapi.Params) (any, error) {
	id, table, database := p.RequiredInt64("datasourceId"), p.RequiredText("tableName"), p.RequiredText("database")
	if err := p.Err(); err != nil {
		return nil, err
	}
	columns, err := a.svc.Columns(r.Context(), id, database, table)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(columns))
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return options(slices.Clip(names)), nil
}
