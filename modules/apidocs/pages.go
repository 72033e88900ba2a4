package apidocs

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/app/kit/web/dsapi/describe"
	view "dorado/views/apidocs"
	"dorado/views/components"
)

// errNoEndpoint is the fault of an address that names no endpoint.
var errNoEndpoint = fault.New(fault.NotFound, "apidocs.not_found")

// whoKey is the message for who may call an endpoint.
func whoKey(w describe.Who) string {
	return "apidocs.who." + strings.ReplaceAll(strings.TrimPrefix(string(w), "project:"), "-", "_")
}

// choose is the text in the reader's language.
func choose(ctx context.Context, english, chinese string) string {
	if i18n.FromContext(ctx) == i18n.Chinese {
		return chinese
	}
	return english
}

func (m *Module) index(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	search, group := strings.TrimSpace(r.URL.Query().Get("q")), r.URL.Query().Get("tag")
	p := view.IndexPage{
		Shell: m.Frame.Page(r, i18n.T(ctx, "apidocs.title")), URL: Path, Search: search, Tag: group,
		Tags:      []components.Option{{Label: i18n.T(ctx, "apidocs.filter.all")}},
		Documents: []view.Link{{Label: "v1", URL: m.Base + "/v3/api-docs/v1"}, {Label: "v2", URL: m.Base + "/v3/api-docs/v2"}},
	}
	for _, tag := range m.Table.Tags {
		title := choose(ctx, tag.English, tag.Chinese)
		p.Tags = append(p.Tags, components.Option{Value: tag.Name, Label: title})
		g := view.Group{Title: title, ID: tag.Name}
		for _, e := range tag.Endpoints {
			p.Total++
			if group != "" && group != tag.Name || !found(e, title, search) {
				continue
			}
			g.Rows = append(g.Rows, view.Row{
				Method: e.Method, Path: e.Path, URL: Path + "/" + e.ID(), Summary: choose(ctx, e.English, e.Chinese),
				Who: i18n.T(ctx, whoKey(e.Who)), Ours: e.Ours, Older: e.Since != "",
			})
		}
		if len(g.Rows) > 0 {
			p.Groups = append(p.Groups, g)
			p.Found += len(g.Rows)
		}
	}
	return web.Page(view.Index(p)), nil
}

// found reports whether every word of the search is in the endpoint's address or texts.
func found(e describe.Endpoint, tag, search string) bool {
	text := strings.ToLower(strings.Join([]string{e.Method, e.Path, e.Older, e.English, e.Chinese, tag}, " "))
	for word := range strings.FieldsSeq(strings.ToLower(search)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func (m *Module) show(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	id := chi.URLParam(r, "operation")
	for _, e := range m.Table.Endpoints() {
		if e.ID() == id {
			title := i18n.T(ctx, "apidocs.title")
			p := view.EndpointPage{
				Shell:  m.Frame.Page(r, choose(ctx, e.English, e.Chinese), components.Crumb{Label: title, URL: Path}),
				Method: e.Method, Path: e.Path, Summary: choose(ctx, e.English, e.Chinese), Base: m.Base,
				Facts: m.facts(ctx, e), Curl: m.Table.Curl(e, "http://"+r.Host+m.Base), Example: m.Table.Example(e),
				Body: m.Table.BodyExample(e), File: e.Form == describe.File, Reads: e.Method == http.MethodGet,
			}
			p.Shell.Scripts = []string{"js/apidocs.js"}
			for _, param := range e.Params {
				p.Params = append(p.Params, m.param(ctx, param))
			}
			for _, code := range e.Codes {
				c := view.Code{Code: strconv.Itoa(code)}
				if key := "dsapi." + c.Code; i18n.Has(key) {
					c.Text = i18n.T(ctx, key)
				}
				p.Codes = append(p.Codes, c)
			}
			return web.Page(view.Endpoint(p)), nil
		}
	}
	return nil, errNoEndpoint
}

func (m *Module) facts(ctx context.Context, e describe.Endpoint) []components.Datum {
	out := []components.Datum{
		{Label: i18n.T(ctx, "apidocs.field.who"), Value: i18n.T(ctx, whoKey(e.Who))},
		{Label: i18n.T(ctx, "apidocs.field.answer"), Value: answer(ctx, e)},
	}
	if e.Older != "" {
		out = append(out, components.Datum{Label: i18n.T(ctx, "apidocs.field.older"), Value: e.Older, Mono: true})
	}
	switch {
	case e.Ours:
		out = append(out, components.Datum{Label: i18n.T(ctx, "apidocs.field.since"), Value: i18n.T(ctx, "apidocs.ours")})
	case e.Since != "":
		out = append(out, components.Datum{Label: i18n.T(ctx, "apidocs.field.since"), Value: i18n.T(ctx, "apidocs.only_older", "version", e.Since)})
	}
	return out
}

// answer says in short what a success looks like.
func answer(ctx context.Context, e describe.Endpoint) string {
	what := e.Data.String()
	switch e.Form {
	case describe.Enveloped, describe.Bare:
	case describe.File:
		what = e.ContentType
	case describe.Empty:
		what = i18n.T(ctx, "apidocs.answer.empty")
	case describe.Redirect:
		what = i18n.T(ctx, "apidocs.answer.redirect")
	}
	return "HTTP " + strconv.Itoa(e.Status) + " · " + what
}

func (m *Module) param(ctx context.Context, p describe.Param) view.Param {
	in := p.In
	out := view.Param{
		Name: p.Name, In: string(in), Where: i18n.T(ctx, "apidocs.in."+string(in)), Type: p.Type.String(), Required: p.Required,
		Default: p.Default, Options: m.Table.Enums[p.Type.Name], File: p.Type.Name == "file",
		Number: p.Type.Name == "int" || p.Type.Name == "long", Long: p.Type.Name == "json",
	}
	if p.Type.Name == "bool" {
		out.Options = []string{"true", "false"}
	}
	if p.Required && p.Default == "" {
		switch p.Name {
		case "pageNo":
			out.Suggestion = "1"
		case "pageSize":
			out.Suggestion = "10"
		}
	}
	return out
}
