package alertinstance

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/plugins/alert"
	"dorado/plugins/form"
)

var (
	errNoPlugin   = fault.New(fault.NotFound, "alertinstance.error.no_plugin")
	errNoUI       = fault.New(fault.Invalid, "alertinstance.error.no_ui")
	errNoSuchKind = fault.New(fault.NotFound, "alertinstance.error.no_such_kind")
)

type api struct {
	svc     *Service
	rest    *dsapi.API
	version string
}

func (a api) routes(r chi.Router) {
	e := a.rest.Faults(dsapi.Faults{
		ErrNameTaken.Key: 110010, ErrInUse.Key: 110012, ErrTest.Key: 110014, errNoPlugin.Key: 110004, errNoUI.Key: 110001, errNoSuchKind.Key: 110002,
	})
	r.Post("/alert-plugin-instances", e.Created(110008, a.create))
	r.Post("/alert-plugin-instances/test-send", e.OK(110016, a.test))
	r.Get("/alert-plugin-instances", e.OK(110011, a.page))
	r.Get("/alert-plugin-instances/list", e.OK(110009, a.list))
	r.Get("/alert-plugin-instances/verify-name", e.OK(dsapi.Internal, a.verify))
	r.Get("/alert-plugin-instances/{id}", e.OK(110007, a.get))
	r.Put("/alert-plugin-instances/{id}", e.OK(110005, a.update))
	r.Delete("/alert-plugin-instances/{id}", e.OK(110006, a.remove))
	r.Get("/ui-plugins/query-by-type", e.Created(110003, a.plugins))
	r.Get("/ui-plugins/query-product-info", e.OK(10304, a.product))
	r.Get("/ui-plugins/{id}", e.Created(110003, a.plugin))
}

// dsInstance is an instance as clients know it. Its settings are the text of a JSON object.
type dsInstance struct {
	ID         int64      `json:"id"`
	Plugin     int        `json:"pluginDefineId"`
	Name       string     `json:"instanceName"`
	Params     string     `json:"pluginInstanceParams"`
	CreateTime dsapi.Time `json:"createTime"`
	UpdateTime dsapi.Time `json:"updateTime"`
}

// dsListed is an instance in lists, where its settings are the text of a form with values.
type dsListed struct {
	ID         int64      `json:"id"`
	Plugin     int        `json:"pluginDefineId"`
	Name       string     `json:"instanceName"`
	Kind       string     `json:"instanceType"`
	Warning    string     `json:"warningType"`
	Params     string     `json:"pluginInstanceParams"`
	CreateTime dsapi.Time `json:"createTime"`
	UpdateTime dsapi.Time `json:"updateTime"`
	PluginName string     `json:"alertPluginName"`
}

func (a api) toDS(i Instance) (dsInstance, error) {
	shown, err := a.svc.Shown(i)
	if err != nil {
		return dsInstance{}, err
	}
	p, _ := a.svc.plugins.Named(i.Plugin)
	return dsInstance{
		ID: i.ID, Plugin: p.ID, Name: i.Name, Params: string(shown.JSON()), CreateTime: dsapi.Time(i.CreatedAt), UpdateTime: dsapi.Time(i.UpdatedAt),
	}, nil
}

func (a api) listed(i Instance) (dsListed, error) {
	shown, err := a.svc.Shown(i)
	if err != nil {
		return dsListed{}, err
	}
	p, _ := a.svc.plugins.Named(i.Plugin)
	params, err := formText(p, shown, i.Warning)
	return dsListed{
		ID: i.ID, Plugin: p.ID, Name: i.Name, Kind: i.Kind, Warning: i.Warning, Params: params, CreateTime: dsapi.Time(i.CreatedAt),
		UpdateTime: dsapi.Time(i.UpdatedAt), PluginName: i.Plugin,
	}, err
}

// readSettings reads settings as a form with values, or as an object. The member that says of which outcomes to tell is taken
// out.
func readSettings(text string) (settings form.Flat, warning string, err error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "[") {
		var fields []struct {
			Field string          `json:"field"`
			Value json.RawMessage `json:"value"`
		}
		if json.Unmarshal([]byte(text), &fields) != nil {
			return nil, "", ErrSettings
		}
		members := make(map[string]json.RawMessage, len(fields))
		for _, f := range fields {
			if f.Field != "" && len(f.Value) > 0 {
				members[f.Field] = f.Value
			}
		}
		raw, err := json.Marshal(members)
		if err != nil {
			return nil, "", ErrSettings.Because(err)
		}
		text = string(raw)
	}
	if settings, err = form.ReadFlat([]byte(text)); err != nil {
		return nil, "", ErrSettings.Because(err)
	}
	warning = settings[warningField]
	delete(settings, warningField)
	return settings, warning, nil
}

func (a api) draft(p *dsapi.Params, d Draft) (Draft, error) {
	text := p.RequiredText("pluginInstanceParams")
	d.Kind = p.Enum("instanceType", "NORMAL", "GLOBAL", "")
	given := p.Text("warningType")
	if err := p.Err(); err != nil {
		return d, err
	}
	var err error
	if d.Settings, d.Warning, err = readSettings(text); err != nil {
		return d, err
	}
	if given != "" {
		d.Warning = given
	}
	return d, nil
}

func (a api) pluginName(p *dsapi.Params) (string, error) {
	id := p.RequiredInt("pluginDefineId")
	if err := p.Err(); err != nil {
		return "", err
	}
	found, ok := a.svc.plugins.Numbered(id)
	if !ok {
		return "", errNoPlugin
	}
	return found.Name, nil
}

func (a api) create(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("instanceName")
	plugin, err := a.pluginName(p)
	if err != nil {
		return nil, err
	}
	d, err := a.draft(p, Draft{Name: name, Plugin: plugin})
	if err != nil {
		return nil, err
	}
	i, err := a.svc.Create(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return a.toDS(i)
}

func (a api) test(r *http.Request, p *dsapi.Params) (any, error) {
	plugin, err := a.pluginName(p)
	if err != nil {
		return nil, err
	}
	d, err := a.draft(p, Draft{Plugin: plugin})
	if err != nil {
		return nil, err
	}
	if _, err := a.svc.Test(r.Context(), p.Int64("id", 0), d); err != nil {
		return nil, err
	}
	return true, p.Err()
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	spec := Spec()
	spec.Search = []string{"name"}
	page, err := a.svc.Page(r.Context(), listing.New(spec, no, size, p.Text("searchVal")))
	if err != nil {
		return nil, err
	}
	rows, err := a.all(page.Items)
	if err != nil {
		return nil, err
	}
	return dsapi.Page(rows, int64(page.Total), no, size), nil
}

func (a api) all(list []Instance) ([]dsListed, error) {
	out := make([]dsListed, 0, len(list))
	for _, i := range list {
		one, err := a.listed(i)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (a api) list(r *http.Request, _ *dsapi.Params) (any, error) {
	list, err := a.svc.All(r.Context())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(x, y Instance) int { return int(x.ID - y.ID) })
	return a.all(list)
}

func (a api) verify(r *http.Request, p *dsapi.Params) (any, error) {
	name := p.RequiredText("alertInstanceName")
	if err := p.Err(); err != nil {
		return nil, err
	}
	return nil, a.svc.CheckName(r.Context(), name)
}

// get answers null for an instance that is not there, as clients know it.
func (a api) get(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	i, err := a.svc.Get(r.Context(), id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil //nolint:nilnil // null is the answer
	}
	if err != nil {
		return nil, err
	}
	return a.toDS(i)
}

func (a api) update(r *http.Request, p *dsapi.Params) (any, error) {
	id, name := p.Path("id"), p.RequiredText("instanceName")
	d, err := a.draft(p, Draft{Name: name})
	if err != nil {
		return nil, err
	}
	i, err := a.svc.Update(r.Context(), id, d, time.Time{})
	if err != nil {
		return nil, err
	}
	out, err := a.toDS(i)
	out.Plugin = 0
	return out, err
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

// dsPlugin is a plugin as clients know it.
type dsPlugin struct {
	ID         int        `json:"id"`
	Name       string     `json:"pluginName"`
	Type       string     `json:"pluginType"`
	Params     string     `json:"pluginParams"`
	CreateTime dsapi.Time `json:"createTime"`
	UpdateTime dsapi.Time `json:"updateTime"`
}

func described(p alert.Plugin) (dsPlugin, error) {
	params, err := formText(p, nil, "ALL")
	since := dsapi.Time(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) // a plugin has always been there
	return dsPlugin{ID: p.ID, Name: p.Name, Type: "alert", Params: params, CreateTime: since, UpdateTime: since}, err
}

func (a api) plugins(r *http.Request, p *dsapi.Params) (any, error) {
	kind := p.RequiredText("pluginType")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.svc.access.Require(r.Context(), View); err != nil {
		return nil, err
	}
	switch strings.ToUpper(kind) {
	case "ALERT":
	case "REGISTER":
		return nil, errNoUI
	case "TASK":
		return nil, errNoSuchKind
	default:
		return nil, &dsapi.ParamError{Name: "pluginType"}
	}
	out := []dsPlugin{}
	for _, one := range a.svc.plugins.All() {
		d, err := described(one)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (a api) plugin(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.svc.access.Require(r.Context(), View); err != nil {
		return nil, err
	}
	found, ok := a.svc.plugins.Numbered(int(id))
	if !ok {
		return nil, errNoPlugin
	}
	return described(found)
}

func (a api) product(r *http.Request, _ *dsapi.Params) (any, error) {
	if err := a.svc.access.Require(r.Context(), View); err != nil {
		return nil, err
	}
	return map[string]string{"version": a.version}, nil
}
