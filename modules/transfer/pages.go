package transfer

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/modules/frame"
	"dorado/modules/project"
	"dorado/modules/transfer/dsfile"
	"dorado/modules/transfer/neutral"
	"dorado/modules/workflow"
	"dorado/views/components"
	view "dorado/views/transfer"
)

type pages struct {
	svc   *Service
	frame *frame.Frame
}

func (p *pages) inProject(r *http.Request, perm access.Permission) (project.Project, error) {
	code, err := web.Number(r, "project")
	if err != nil {
		return project.Project{}, err
	}
	return p.svc.Projects.Require(r.Context(), code, perm)
}

// address is a page of a project.
func address(project int64, rest string) string { return "/projects/" + number(project) + rest }

func (p *pages) importPage(r *http.Request, in project.Project) view.ImportPage {
	list := address(in.Code, "/workflows")
	return view.ImportPage{
		Shell: p.frame.InProject(r, project.Ref(in), i18n.T(r.Context(), "transfer.import.title")), Action: address(in.Code, "/workflows/import-file"),
		CancelURL: list, PasteURL: list + "/import", Limit: "5 MB",
	}
}

func (p *pages) importForm(r *http.Request) (web.Response, error) {
	in, err := p.inProject(r, workflow.Edit)
	if err != nil {
		return nil, err
	}
	return web.Page(view.Import(p.importPage(r, in))), nil
}

// importFile shows what a file would do, and does it when asked to.
func (p *pages) importFile(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, err := p.inProject(r, workflow.Edit)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	v := p.importPage(r, in)
	name, data, err := sent(r, f)
	if err == nil && len(data) == 0 {
		err = neutral.ErrEmpty
	}
	var b *neutral.Bundle
	if err == nil {
		b, err = Read(name, data)
	}
	if refused(err) {
		v.Error = web.Message(ctx, err)
		return web.Invalid(view.Import(v)), nil
	}
	if err != nil {
		return nil, err
	}
	c := wanted(r, f)
	if f.Text("step") == "import" {
		done, err := p.svc.Import(ctx, in.Code, b, c)
		if err == nil {
			v.Result = p.result(ctx, in, done)
			return web.Page(view.Import(v)), nil
		}
		if !refused(err) {
			return nil, err
		}
		v.Error = said(ctx, err)
		if b, err = Read(name, data); err != nil { // the report of the attempt is not that of the preview
			return nil, err
		}
	}
	seen, err := p.svc.Preview(ctx, in.Code, b, c)
	if refused(err) {
		v.Error = said(ctx, err)
		return web.Invalid(view.Import(v)), nil
	}
	if err != nil {
		return nil, err
	}
	if v.Preview, err = p.preview(ctx, in, name, data, seen, c); err != nil {
		return nil, err
	}
	if v.Error != "" {
		return web.Invalid(view.Import(v)), nil
	}
	return web.Page(view.Import(v)), nil
}

// refused reports whether an error is about what was sent.
func refused(err error) bool {
	if err == nil {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Conflict, fault.TooLarge:
		return true
	case fault.Internal, fault.Unauthenticated, fault.Forbidden, fault.NotFound, fault.TooMany, fault.Unavailable:
	}
	return false
}

// said is a fault in words, with what it says about each workflow.
func said(ctx context.Context, err error) string {
	f := fault.From(err)
	if f == nil || len(f.Fields) == 0 {
		return web.Message(ctx, err)
	}
	parts := make([]string, len(f.Fields))
	for i, field := range f.Fields {
		parts[i] = field.Name + ": " + i18n.T(ctx, field.Key, field.Pairs()...)
	}
	return strings.Join(parts, "; ")
}

// sent is the file of the form, or that of the step before.
func sent(r *http.Request, f *web.Form) (string, []byte, error) {
	if payload := f.Raw("payload"); payload != "" {
		data, err := unpacked(payload)
		return f.Text("name"), data, err
	}
	if r.MultipartForm == nil || len(r.MultipartForm.File["file"]) == 0 {
		return "", nil, neutral.ErrEmpty
	}
	return upload(r)
}

// packed is a file as a field of a form.
func packed(data []byte) (string, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(data); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), nil
}

func unpacked(payload string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(payload)
	if err != nil {
		return nil, neutral.ErrArchive.Because(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, neutral.ErrArchive.Because(err)
	}
	data, err := io.ReadAll(io.LimitReader(z, neutral.MaxFile+1))
	switch {
	case err != nil:
		return nil, neutral.ErrArchive.Because(err)
	case len(data) > neutral.MaxFile:
		return nil, neutral.ErrTooLarge.With("limit", neutral.MaxFile>>20)
	}
	return data, nil
}

// wanted reads the choices of a form.
func wanted(r *http.Request, f *web.Form) Choices {
	c := Choices{Actions: map[int]Action{}, Names: map[int]string{}, Mapping: map[string]string{}, KeepCodes: f.Bool("keep")}
	for name := range r.Form {
		if at, ok := strings.CutPrefix(name, "action."); ok {
			if i, err := strconv.Atoi(at); err == nil {
				c.Actions[i] = Action(f.Text(name))
			}
		}
		if at, ok := strings.CutPrefix(name, "name."); ok {
			if i, err := strconv.Atoi(at); err == nil {
				c.Names[i] = f.Text(name)
			}
		}
		if key, ok := strings.CutPrefix(name, "map."); ok {
			c.Mapping[key] = f.Text(name)
		}
	}
	return c
}

func (p *pages) preview(ctx context.Context, in project.Project, name string, data []byte, seen *Preview, c Choices) (*view.Preview, error) {
	payload, err := packed(data)
	if err != nil {
		return nil, err
	}
	out := &view.Preview{
		File: neutral.CleanName(name, 200), Format: i18n.T(ctx, "transfer.format."+string(seen.Format)), Payload: payload, Keep: c.KeepCodes,
		Notes: notes(ctx, seen.Notes),
	}
	for _, i := range seen.Items {
		out.Ready = out.Ready || !i.Blocked // another action may be chosen together with the import
		row := view.Row{
			Index: i.Index, Name: i.Name, Project: i.Project, As: i.As, File: i.File, Tasks: i.Tasks, Schedules: i.Schedules,
			Foreign: strings.Join(i.Foreign, ", "), Same: i.Same, Blocked: i.Blocked, Problems: i.Problems, Action: string(i.Action),
		}
		actions := []Action{Create, Skip}
		if i.Existing.Code != 0 {
			row.Existing, row.Version = address(in.Code, "/workflows/"+number(i.Existing.Code)), i.Existing.Version
			actions = []Action{Rename, Version, Skip}
		} else if i.Action == Rename {
			actions = []Action{Rename, Skip}
		}
		// Somebody who chose what is refused must be able to choose again.
		if i.Blocked && i.Action == Version {
			row.Blocked = false
		}
		for _, a := range actions {
			row.Actions = append(row.Actions, components.Option{Value: string(a), Label: i18n.T(ctx, "transfer.action."+string(a))})
		}
		out.Rows = append(out.Rows, row)
	}
	for _, r := range seen.References {
		row := view.Reference{
			Key: r.Ref.Key(), Kind: i18n.T(ctx, "transfer.kind."+string(r.Ref.Kind)), Label: r.Label, Uses: uses(r.Uses), Chosen: r.Chosen,
			Required: r.Required, Open: r.Open,
		}
		if r.Open {
			out.Open++
		}
		if r.Choices, err = p.choices(ctx, in, r); err != nil {
			return nil, err
		}
		row.Free = r.Choices == nil
		row.Choices = []components.Option{{Value: "", Label: i18n.T(ctx, "transfer.choose."+leftOut(r))}}
		for _, choice := range r.Choices {
			row.Choices = append(row.Choices, components.Option{Value: choice.Value, Label: choice.Label})
		}
		out.References = append(out.References, row)
	}
	return out, nil
}

// leftOut says what becomes of a reference that leads nowhere.
func leftOut(r Reference) string {
	switch {
	case r.Required:
		return "required"
	case r.Ref.Kind == neutral.WorkerGroup || r.Ref.Kind == neutral.Tenant:
		return "default"
	case r.Ref.Kind == neutral.DataSource || r.Ref.Kind == neutral.Resource:
		return "keep"
	}
	return "none"
}

// choices are what a reference may lead to: for workflows, those of the project and the one that it leads to.
func (p *pages) choices(ctx context.Context, in project.Project, r Reference) ([]Choice, error) {
	if r.Ref.Kind != neutral.WorkflowRef {
		return r.Choices, nil
	}
	all, err := p.svc.Workflows.Choices(ctx, in.Code, "", []int64{parse(r.Chosen)}, maxOffered)
	if err != nil {
		return nil, err
	}
	out := []Choice{}
	known := false
	for _, w := range all {
		out = append(out, Choice{number(w.Code), w.Name})
		known = known || number(w.Code) == r.Chosen
	}
	if r.Chosen != "" && !known {
		out = append(out, Choice{r.Chosen, r.Label})
	}
	return out, nil
}

// maxOffered is how many workflows a list to choose from has.
const maxOffered = 500

// uses joins the places of a reference, the first of them.
func uses(all []string) string {
	const most = 5
	if len(all) > most {
		return strings.Join(all[:most], ", ") + " … (" + strconv.Itoa(len(all)) + ")"
	}
	return strings.Join(all, ", ")
}

func notes(ctx context.Context, all []neutral.Note) []view.Note {
	out := make([]view.Note, len(all))
	for i, n := range all {
		where := strings.Join(slices.DeleteFunc([]string{n.File, n.Workflow, n.Node}, func(s string) bool { return s == "" }), " · ")
		out[i] = view.Note{Level: string(n.Level), Text: i18n.T(ctx, n.Key, n.Args...), Where: where, Line: n.Line}
	}
	return out
}

func (p *pages) result(ctx context.Context, in project.Project, done *Result) *view.Result {
	out := &view.Result{Notes: notes(ctx, done.Notes), ListURL: address(in.Code, "/workflows")}
	for _, d := range done.Items {
		m := view.Made{Name: d.As, Version: d.Workflow.Version, Scheduled: d.Scheduled, Kept: d.Kept, Why: strings.Join(d.Problems, "; ")}
		if d.Workflow.Code != 0 {
			m.Name, m.URL = d.Workflow.Name, address(in.Code, "/workflows/"+number(d.Workflow.Code))
		}
		out.Rows = append(out.Rows, m)
	}
	return out
}

func (p *pages) exportForm(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, err := p.inProject(r, workflow.Read)
	if err != nil {
		return nil, err
	}
	all, err := p.svc.Workflows.All(ctx, in.Code)
	if err != nil {
		return nil, err
	}
	chosen := map[string]bool{}
	var codes []int64
	for _, code := range r.URL.Query()["codes"] {
		chosen[code] = true
	}
	v := view.ExportPage{
		Shell: p.frame.InProject(r, project.Ref(in), i18n.T(ctx, "transfer.export.title")), Action: address(in.Code, "/workflows/export"),
		CancelURL: address(in.Code, "/workflows"),
	}
	for _, w := range all {
		code := number(w.Code)
		on := len(chosen) == 0 || chosen[code]
		if on {
			codes = append(codes, w.Code)
		}
		v.Rows = append(v.Rows, view.ExportRow{Code: code, Name: w.Name, State: string(w.ReleaseState), Chosen: on})
	}
	if len(codes) > 0 && len(codes) <= MaxExport {
		e, err := p.svc.Export(ctx, in.Code, codes)
		if err != nil {
			return nil, err
		}
		v.Ours = strings.Join(e.Ours(), ", ")
	}
	return web.Page(view.Export(v)), nil
}

// export answers the file.
func (p *pages) export(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, err := p.inProject(r, workflow.Read)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	if err := f.Err(); err != nil {
		return nil, err
	}
	var codes []int64
	for _, text := range f.List("codes") {
		code, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, ErrChoice.With("value", text)
		}
		codes = append(codes, code)
	}
	e, err := p.svc.Export(ctx, in.Code, codes)
	if err != nil {
		return nil, err
	}
	stable := f.Bool("stable")
	switch f.Text("format") {
	case "yaml":
		return web.Download(exportName(p.svc.Now(), ".zip"), func(out io.Writer) error { return p.svc.WriteYAML(ctx, e, out, stable) }), nil
	case "ds32":
		return web.Download(exportName(p.svc.Now(), ".json"), func(out io.Writer) error { return e.Write(ctx, out, dsfile.Process, stable) }), nil
	case "", "ds33":
		return web.Download(exportName(p.svc.Now(), ".json"), func(out io.Writer) error { return e.Write(ctx, out, dsfile.Workflow, stable) }), nil
	}
	return nil, ErrChoice.With("value", f.Text("format"))
}

func unmarshal(text string, into any) error { return json.Unmarshal([]byte(text), into) }
