package transfer

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/project"
	"dorado/modules/transfer/dsfile"
	"dorado/modules/transfer/neutral"
	"dorado/modules/workflow"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

// The codes that clients of DolphinScheduler know.
const (
	codeContent    dsapi.Code = 50018 // the file is no list of workflows
	codeExport     dsapi.Code = 50028
	codeImport     dsapi.Code = 50029
	codeDataSource dsapi.Code = 10172
)

func (a api) routes(r chi.Router) {
	const base = "/projects/{project}/workflow-definition"
	e := a.rest.Faults(project.Faults(project.ProjectGone)).Faults(workflow.Codes()).Faults(faults())
	r.Post(base+"/batch-export", e.OK(codeExport, a.export))
	r.Post(base+"/import", early(e.OK(codeImport, a.importFile), e.OK(codeImport, tooLarge)))
	// Ours: the same with a preview, choices, and codes that are kept.
	r.Post(base+"/transfer/preview", early(e.OK(codeImport, a.preview), e.OK(codeImport, tooLarge)))
	r.Post(base+"/transfer/import", early(e.OK(codeImport, a.transfer), e.OK(codeImport, tooLarge)))
}

func faults() dsapi.Faults {
	return dsapi.Faults{
		neutral.ErrTooLarge.Key: codeContent, neutral.ErrTooMany.Key: codeContent, neutral.ErrUnsafe.Key: codeContent, neutral.ErrArchive.Key: codeContent,
		neutral.ErrUnreadable.Key: codeContent, neutral.ErrUnknown.Key: codeContent, neutral.ErrEmpty.Key: codeContent,
		ErrNothing.Key: codeImport, ErrBlocked.Key: codeImport, ErrChoice.Key: codeImport, ErrReferences.Key: codeImport, ErrDataSource.Key: codeDataSource,
	}
}

// early refuses uploads that say that they are too large before a byte of them is read, and cuts those that do not say.
func early(next, refuse http.HandlerFunc) http.HandlerFunc {
	const around = 1 << 20 // what a form has besides its file
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > neutral.MaxFile+around {
			r = r.Clone(r.Context())
			r.Body, r.ContentLength = http.NoBody, 0
			w.Header().Set("Connection", "close") // nobody reads the rest
			refuse(w, r)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, neutral.MaxFile+around)
		next(w, r)
	}
}

func tooLarge(*http.Request, *dsapi.Params) (any, error) {
	return nil, neutral.ErrTooLarge.With("limit", neutral.MaxFile>>20)
}

// export answers a file. words and stable are ours: "process" or "workflow" whatever the address, and a file without what
// belongs to this installation.
func (a api) export(r *http.Request, p *dsapi.Params) (any, error) {
	in, codes, stable := p.Path("project"), p.Int64s("codes"), p.Bool("stable", false)
	format := p.Enum("format", "json", "yaml")
	words := dsfile.Workflow
	if p.Enum("words", "workflow", "process") == "process" || dsapi.Legacy(r.Context()) && p.Text("words") == "" {
		words = dsfile.Process
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	e, err := a.svc.Export(r.Context(), in, codes)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	kind, ext := "application/json;charset=UTF-8", ".json"
	if format == "yaml" {
		kind, ext = "application/zip", ".zip"
		err = a.svc.WriteYAML(r.Context(), e, &body, stable)
	} else {
		err = e.Write(r.Context(), &body, words, stable)
	}
	if err != nil {
		return nil, err
	}
	name := exportName(a.svc.Now(), ext)
	return dsapi.Raw(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
		_, _ = w.Write(body.Bytes()) // nobody is there to be told
	}), nil
}

// upload reads the file of a form.
func upload(r *http.Request) (name string, data []byte, err error) {
	if r.MultipartForm == nil || len(r.MultipartForm.File["file"]) == 0 {
		return "", nil, &dsapi.ParamError{Name: "file", Missing: true}
	}
	header := r.MultipartForm.File["file"][0]
	if header.Size > neutral.MaxFile {
		return "", nil, neutral.ErrTooLarge.With("limit", neutral.MaxFile>>20)
	}
	file, err := header.Open()
	if err != nil {
		return "", nil, err
	}
	defer file.Close()
	data, err = io.ReadAll(io.LimitReader(file, neutral.MaxFile+1))
	return header.Filename, data, err
}

// importFile does what DolphinScheduler does with a file: every workflow becomes a new one, with the time in its name.
func (a api) importFile(r *http.Request, p *dsapi.Params) (any, error) {
	in := p.Path("project")
	if err := p.Err(); err != nil {
		return nil, err
	}
	ctx := r.Context()
	if _, err := a.svc.Projects.Require(ctx, in, workflow.Edit); err != nil {
		return nil, err // who may not write learns nothing about the file
	}
	name, data, err := upload(r)
	if err != nil {
		return nil, err
	}
	b, err := Read(name, data)
	if err != nil {
		return nil, err
	}
	c := Choices{Stamped: true}
	if b.Format == neutral.SQLZip {
		if err := a.knownSources(r, in, b); err != nil {
			return nil, err
		}
	}
	done, err := a.svc.Import(ctx, in, b, c)
	if err != nil {
		return nil, err
	}
	last, _ := done.Last()
	def, err := a.svc.Workflows.Definition(ctx, last.Code, last.Version)
	if err != nil {
		return nil, err
	}
	return workflow.HeadData(last, def)
}

// knownSources refuses SQL files that name a data source that is not there, with the number clients know.
func (a api) knownSources(r *http.Request, in int64, b *neutral.Bundle) error {
	if a.svc.lookups[neutral.DataSource] == nil {
		return nil
	}
	seen, err := a.svc.Preview(r.Context(), in, b, Choices{Stamped: true})
	if err != nil {
		return err
	}
	for _, ref := range seen.References {
		if ref.Ref.Kind == neutral.DataSource && ref.Chosen == "" {
			return ErrDataSource.With("name", ref.Label)
		}
	}
	return nil
}

// choices reads what whoever calls wants: "actions" and "mapping" are JSON objects.
func choices(p *dsapi.Params) (Choices, error) {
	c := Choices{KeepCodes: p.Bool("keepCodes", false)}
	var actions map[string]Action
	for _, field := range []struct {
		name string
		into any
	}{{"actions", &actions}, {"mapping", &c.Mapping}} {
		if text := p.Text(field.name); text != "" {
			if err := unmarshal(text, field.into); err != nil {
				return c, &dsapi.ParamError{Name: field.name}
			}
		}
	}
	c.Actions = map[int]Action{}
	for at, action := range actions {
		i, err := strconv.Atoi(at)
		if err != nil {
			return c, &dsapi.ParamError{Name: "actions"}
		}
		c.Actions[i] = action
	}
	if conflict := Action(p.Enum("conflict", string(Rename), string(Version), string(Skip))); conflict != "" {
		c.Conflict = conflict
	}
	return c, p.Err()
}

func (a api) read(r *http.Request, p *dsapi.Params) (int64, *neutral.Bundle, Choices, error) {
	in := p.Path("project")
	c, err := choices(p)
	if err := errors.Join(p.Err(), err); err != nil {
		return in, nil, c, err
	}
	if _, err := a.svc.Projects.Require(r.Context(), in, workflow.Edit); err != nil {
		return in, nil, c, err
	}
	name, data, err := upload(r)
	if err != nil {
		return in, nil, c, err
	}
	b, err := Read(name, data)
	return in, b, c, err
}

// dsItem is a workflow of a preview or of a result.
type dsItem struct {
	Index     int      `json:"index"`
	File      string   `json:"file"`
	Name      string   `json:"name"`
	As        string   `json:"as"`
	Action    Action   `json:"action"`
	Existing  int64    `json:"existingCode"`
	Same      bool     `json:"same"`
	Tasks     int      `json:"tasks"`
	Schedules int      `json:"schedules"`
	Foreign   []string `json:"foreignTypes"`
	Blocked   bool     `json:"blocked"`
	Problems  []string `json:"problems"`
	Code      int64    `json:"code"` // 0 until it is imported
	Version   int      `json:"version"`
}

func itemOf(i Item) dsItem {
	return dsItem{
		Index: i.Index, File: i.File, Name: i.Name, As: i.As, Action: i.Action, Existing: i.Existing.Code, Same: i.Same, Tasks: i.Tasks,
		Schedules: i.Schedules, Foreign: append([]string{}, i.Foreign...), Blocked: i.Blocked, Problems: append([]string{}, i.Problems...),
	}
}

type dsReference struct {
	Key      string   `json:"key"`
	Kind     string   `json:"kind"`
	Label    string   `json:"label"`
	Uses     []string `json:"uses"`
	Chosen   string   `json:"chosen"`
	Required bool     `json:"required"`
	Choices  []Choice `json:"choices"`
}

type dsNote struct {
	Level    neutral.Level `json:"level"`
	File     string        `json:"file"`
	Line     int           `json:"line"`
	Workflow string        `json:"workflow"`
	Node     string        `json:"node"`
	Text     string        `json:"text"`
}

type dsTransfer struct {
	Format     neutral.Format `json:"format"`
	Workflows  []dsItem       `json:"workflows"`
	References []dsReference  `json:"references"`
	Notes      []dsNote       `json:"notes"`
}

func notesOf(r *http.Request, notes []neutral.Note) []dsNote {
	out := make([]dsNote, len(notes))
	for i, n := range notes {
		out[i] = dsNote{n.Level, n.File, n.Line, n.Workflow, n.Node, i18n.T(r.Context(), n.Key, n.Args...)}
	}
	return out
}

func (a api) preview(r *http.Request, p *dsapi.Params) (any, error) {
	in, b, c, err := a.read(r, p)
	if err != nil {
		return nil, err
	}
	seen, err := a.svc.Preview(r.Context(), in, b, c)
	if err != nil {
		return nil, err
	}
	out := dsTransfer{Format: seen.Format, Workflows: []dsItem{}, References: []dsReference{}, Notes: notesOf(r, seen.Notes)}
	for _, i := range seen.Items {
		out.Workflows = append(out.Workflows, itemOf(i))
	}
	for _, ref := range seen.References {
		out.References = append(out.References, dsReference{
			ref.Ref.Key(), string(ref.Ref.Kind), ref.Label, append([]string{}, ref.Uses...), ref.Chosen, ref.Required, append([]Choice{}, ref.Choices...),
		})
	}
	return out, nil
}

func (a api) transfer(r *http.Request, p *dsapi.Params) (any, error) {
	in, b, c, err := a.read(r, p)
	if err != nil {
		return nil, err
	}
	done, err := a.svc.Import(r.Context(), in, b, c)
	if err != nil {
		return nil, err
	}
	out := dsTransfer{Format: b.Format, Workflows: []dsItem{}, References: []dsReference{}, Notes: notesOf(r, done.Notes)}
	for _, d := range done.Items {
		item := itemOf(d.Item)
		item.Code, item.Version = d.Workflow.Code, d.Workflow.Version
		out.Workflows = append(out.Workflows, item)
	}
	return out, nil
}
