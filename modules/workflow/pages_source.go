package workflow

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/flow"
	flowtext "dorado/modules/flow/text"
	"dorado/modules/project"
	"dorado/plugins/form"
	view "dorado/views/workflow"
)

// sourceRoutes adds what the YAML view of the editor calls, the download and the import.
func (m *Module) sourceRoutes(r chi.Router, list, one string) {
	p, h := m.pages, m.site.Handle
	r.Get(list+"/import", h(p.importForm))
	r.Post(list+"/import", h(p.importSource))
	r.Get(one+"/yaml", h(p.download))
	r.Post(one+"/yaml/write", h(p.writeSource))
	r.Post(one+"/yaml/read", h(p.readSource))
	r.Get("/schema/workflow.json", h(p.schema))
}

// exchange is what the editor sends to change between picture and text.
type exchange struct {
	Source     string          `json:"source"`     // the text
	Before     json.RawMessage `json:"before"`     // the definition when text and picture were last the same, or null
	Definition json.RawMessage `json:"definition"` // the picture
}

func (p *pages) exchanged(r *http.Request) (projectCode int64, x exchange, before, def *flow.Definition, err error) {
	in, code, err := p.target(r)
	if err != nil {
		return 0, x, nil, nil, err
	}
	if err := readJSON(r, &x); err != nil {
		return 0, x, nil, nil, err
	}
	read := func(raw json.RawMessage) (*flow.Definition, error) {
		def, err := readDefinition(raw)
		if err == nil {
			def.Code, def.ProjectCode = code, in.Code
		}
		return def, err
	}
	if def, err = read(x.Definition); err != nil {
		return 0, x, nil, nil, err
	}
	if len(x.Before) > 0 && string(x.Before) != "null" {
		before, err = read(x.Before)
	}
	return in.Code, x, before, def, err
}

// writeSource brings the text in step with the picture.
func (p *pages) writeSource(r *http.Request) (web.Response, error) {
	in, x, before, def, err := p.exchanged(r)
	if err != nil {
		return nil, err
	}
	src, err := p.svc.WriteSource(r.Context(), in, x.Source, before, def)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"yaml": src}), nil
}

// readSource brings the picture in step with the text. Tasks that the text adds get a place.
func (p *pages) readSource(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, x, _, base, err := p.exchanged(r)
	if err != nil {
		return nil, err
	}
	def, problems, err := p.svc.ReadSource(ctx, in, x.Source, base)
	if err != nil {
		return nil, err
	}
	if def != nil && len(def.Locations) < len(def.Tasks) {
		_, points := arranged(def)
		def.Locations = make([]flow.Location, len(def.Tasks))
		for i := range def.Tasks {
			def.Locations[i] = flow.Location{TaskCode: def.Tasks[i].Code, X: points[i].X, Y: points[i].Y}
		}
	}
	return web.JSON(http.StatusOK, map[string]any{"definition": def, "problems": problems}), nil
}

// sourceIn is the text that a save of the editor carries along.
func sourceIn(definition json.RawMessage) string {
	var in struct {
		Source string `json:"source"`
	}
	if json.Unmarshal(definition, &in) != nil {
		return "" // readDefinition says what is wrong
	}
	return in.Source
}

// download answers the current version as a file.
func (p *pages) download(r *http.Request) (web.Response, error) {
	_, w, err := p.found(r, Read)
	if err != nil {
		return nil, err
	}
	src, err := p.svc.Source(r.Context(), w.Code, 0, flowtext.Style{Layout: true, Schedules: true})
	if err != nil {
		return nil, err
	}
	return web.Download(fileName(w.Name)+".yaml", func(out io.Writer) error {
		_, err := io.WriteString(out, src)
		return err
	}), nil
}

// fileName makes a name that every file system takes.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	return strings.Trim(name, ". ")
}

func (p *pages) importForm(r *http.Request) (web.Response, error) {
	in, err := p.inProject(r, Edit)
	if err != nil {
		return nil, err
	}
	return p.importPage(r, in, "", nil), nil
}

func (p *pages) importPage(r *http.Request, in project.Project, src string, preview *view.ImportPreview) web.Response {
	ctx := r.Context()
	list := listAddress(in.Code)
	return web.Page(view.Import(view.ImportPage{
		Shell: p.frame.InProject(r, project.Ref(in), i18n.T(ctx, "yaml.import.title")), Action: list + "/import", CancelURL: list, Source: src, Preview: preview,
	}))
}

// importSource shows what a text would do, and does it when asked again.
func (p *pages) importSource(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, err := p.inProject(r, Edit)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	src := f.Raw("yaml")
	if file, err := uploaded(r); err != nil {
		return nil, err
	} else if file != "" {
		src = file
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	found, err := p.svc.PreviewImport(ctx, in.Code, 0, src)
	if err != nil {
		return nil, err
	}
	if f.Text("confirm") == "" || found.Failed() || found.Online {
		preview := importPreview(found)
		return p.importPage(r, in, src, &preview), nil
	}
	base := found.Version
	if n := f.Text("version"); n != "" {
		if base, err = strconv.Atoi(n); err != nil {
			return nil, ErrMalformed.With("value", "version")
		}
	}
	saved, err := p.svc.ImportSource(ctx, in.Code, 0, src, i18n.T(ctx, "yaml.import.message"), base, false)
	if err != nil {
		return nil, err
	}
	toast := "yaml.import.changed"
	switch {
	case found.Code == 0:
		toast = "yaml.import.created"
	case !saved.Changed:
		toast = "yaml.import.same"
	}
	return web.Redirect(address(in.Code, saved.Workflow.Code)).Toast(toast, "name", saved.Workflow.Name, "version", saved.Workflow.Version), nil
}

func importPreview(found Import) view.ImportPreview {
	out := view.ImportPreview{
		Name: found.Name, New: found.Code == 0, Same: found.Same, Online: found.Online, Version: found.Version, Failed: found.Failed(),
	}
	if found.Definition != nil {
		out.Tasks = len(found.Definition.Tasks)
	}
	for _, problem := range found.Problems {
		out.Problems = append(out.Problems, view.ImportProblem{Line: problem.Line, Column: problem.Column, Message: problem.Message, Error: problem.Severity == "error"})
	}
	return out
}

// uploaded reads the file of a form, "" when there is none.
func uploaded(r *http.Request) (string, error) {
	if r.MultipartForm == nil || len(r.MultipartForm.File["file"]) == 0 {
		return "", nil
	}
	file, err := r.MultipartForm.File["file"][0].Open()
	if err != nil {
		return "", wrap(err, "open uploaded file")
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, flowtext.MaxBytes+1))
	return strings.ToValidUTF8(string(raw), "\uFFFD"), wrap(err, "read uploaded file")
}

// schema answers the JSON schema of texts, with the types of tasks that this server has.
func (p *pages) schema(r *http.Request) (web.Response, error) {
	var types []flowtext.TypeSchema
	ctx := r.Context()
	for _, t := range p.svc.Catalog.Describe(func(key string) string { return i18n.T(ctx, key) }) {
		properties := map[string]any{}
		for _, f := range t.Fields {
			object, member, inner := form.Inner(f.Name)
			if !inner {
				properties[f.Name] = map[string]any{"description": f.Label}
				continue
			}
			if f.Packed {
				properties[object] = map[string]any{"description": f.Label, "type": "string", "contentMediaType": "application/json"}
				continue
			}
			within, _ := properties[object].(map[string]any)
			if within == nil {
				within = map[string]any{"type": "object", "properties": map[string]any{}}
				properties[object] = within
			}
			if members, ok := within["properties"].(map[string]any); ok {
				members[member] = map[string]any{"description": f.Label}
			}
		}
		types = append(types, flowtext.TypeSchema{Name: t.Type, With: map[string]any{"type": "object", "properties": properties}})
		for _, alias := range t.Also {
			types = append(types, flowtext.TypeSchema{Name: alias})
		}
	}
	return web.JSON(http.StatusOK, json.RawMessage(flowtext.Schema(types))), nil
}
