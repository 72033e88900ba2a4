package resource

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/views/components"
	view "dorado/views/resource"
)

type pages struct {
	svc   *Service
	frame *frame.Frame
}

// ref is what a request is about; without a tree it is in one's own.
func (p *pages) ref(r *http.Request) (Ref, error) {
	q := r.URL.Query()
	return p.at(r.Context(), q.Get("tree"), q.Get("path"))
}

func (p *pages) at(ctx context.Context, tree, path string) (Ref, error) {
	if tree == "" {
		home, err := p.svc.Home(ctx)
		if err != nil {
			return Ref{}, err
		}
		tree = home
	}
	return Ref{tree, path}, nil
}

func (p *pages) list(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	if err := p.svc.Access.Require(ctx, View); err != nil {
		return nil, err
	}
	v := view.ListPage{Shell: p.frame.Page(r, i18n.T(ctx, "resource.title"))}
	v.Shell.Scripts = append(v.Shell.Scripts, "js/elements/file-drop.js")
	if !p.svc.Ready() {
		v.Off = true
		return web.Page(view.List(v)), nil
	}
	folder, err := p.ref(r)
	if err != nil {
		return nil, err
	}
	q := frame.Query(r, Spec())
	page, err := p.svc.Page(ctx, folder, q)
	if err != nil {
		return nil, err
	}
	trees, err := p.svc.Trees(ctx)
	if err != nil {
		return nil, err
	}
	usage, err := p.svc.Usage(ctx, folder.Tenant)
	if err != nil {
		return nil, err
	}
	v.List, v.Tree, v.Folder, v.Searching = frame.Listed(Path, q, page), folder.Tenant, folder.Path, q.Search != ""
	v.Path = crumbs(folder)
	for _, t := range trees {
		v.Trees = append(v.Trees, components.Option{Value: t, Label: t})
	}
	v.Usage = i18n.T(ctx, "resource.usage", "files", i18n.Number(ctx, usage.Files), "bytes", i18n.Bytes(ctx, usage.Bytes))
	if usage.Quota > 0 {
		v.Usage = i18n.T(ctx, "resource.usage_of", "files", i18n.Number(ctx, usage.Files), "bytes", i18n.Bytes(ctx, usage.Bytes), "quota", i18n.Bytes(ctx, usage.Quota))
		v.Share = strconv.FormatInt(min(100, usage.Bytes*100/usage.Quota), 10)
	}
	v.SearchURL = Address("/search", folder)
	v.MaxFile, v.Limit, v.ZipURL = p.svc.Config.MaxFile, i18n.Bytes(ctx, p.svc.Config.MaxFile), Path+"/zip"
	may := p.svc.Access.Can(ctx, Edit)
	if may {
		v.UploadURL, v.PartsURL, v.FolderURL, v.FileURL = Path+"/content", Path+"/uploads", Address("/folder", folder), Address("/new", folder)
		v.MoveURL, v.DeleteURL = Path+"/move", Path+"/delete"
	}
	for _, f := range page.Items {
		v.Rows = append(v.Rows, p.row(ctx, f, folder, may))
	}
	return web.Page(view.List(v)), nil
}

func crumbs(folder Ref) []components.Crumb {
	out := []components.Crumb{{Label: folder.Tenant, URL: Address("", Ref{Tenant: folder.Tenant})}}
	for at := folder; !at.Root(); at = at.Parent() {
		out = append(out, components.Crumb{Label: at.Name(), URL: Address("", at)})
	}
	slices.Reverse(out[1:])
	return out
}

func (p *pages) row(ctx context.Context, f File, folder Ref, may bool) view.Row {
	ref := f.Ref()
	row := view.Row{
		ID: f.Path, Name: f.Name, Dir: f.Dir, Icon: "folder", URL: Address("", ref), UserName: f.UserName, UpdatedAt: f.UpdatedAt, Revision: f.Revision,
	}
	if at := ref.Parent(); at != folder {
		row.Note = at.Path
	}
	if !f.Dir {
		row.Icon, row.URL, row.DownloadURL = icon(f.Name), Address("/show", ref), Address("/download", ref)
		row.Size, row.Bytes = i18n.Bytes(ctx, f.Size), i18n.Number(ctx, f.Size)
	}
	if may {
		row.RenameURL = Address("/rename", ref)
		row.DeleteURL = Path + "/delete?" + url.Values{"tree": {f.Tenant}, "path": {ref.Parent().Path}, "name": {f.Path}}.Encode()
	}
	return row
}

func icon(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".sh", ".bat":
		return "shell"
	case ".py":
		return "python"
	case ".sql", ".hql":
		return "sql"
	case ".jar", ".zip", ".gz", ".tgz", ".whl":
		return "package"
	case ".csv", ".tsv", ".xlsx", ".parquet":
		return "table"
	}
	if TextSuffix(name) {
		return "file-text"
	}
	return "file"
}

// form is the frame of a form about a folder or file.
func (p *pages) form(r *http.Request, f *web.Form, title, page string, back Ref, hidden map[string][]string) view.FormProps {
	return view.FormProps{
		Shell: p.frame.Page(r, title, components.Crumb{Label: i18n.T(r.Context(), "resource.title"), URL: Address("", back)}),
		Form: components.FormProps{
			Title: title, Action: Path + page, CancelURL: Address("", back), Error: f.Notice(), Test: "file.form" + strings.ReplaceAll(page, "/", "."),
		},
		Hidden: hidden, Error: f.Error("name"),
	}
}

func (p *pages) askFolder(r *http.Request) (web.Response, error) {
	ref, err := p.ref(r)
	if err == nil {
		err = p.svc.may(r.Context(), ref, Edit)
	}
	if err != nil {
		return nil, err
	}
	return p.folderForm(r, ref, nil), nil
}

func (p *pages) folderForm(r *http.Request, at Ref, f *web.Form) web.Response {
	ctx := r.Context()
	v := p.form(r, f, i18n.T(ctx, "resource.new_folder"), "/folder", at, map[string][]string{"tree": {at.Tenant}, "path": {at.Path}})
	v.Label, v.Hint = i18n.T(ctx, "resource.field.name"), i18n.T(ctx, "resource.hint.folder")
	if f != nil {
		v.Name = f.Text("name")
	}
	return f.Again(view.NameForm(v))
}

func (p *pages) makeFolder(r *http.Request) (web.Response, error) {
	f := web.ReadForm(r)
	at, err := p.at(r.Context(), f.Text("tree"), f.Raw("path"))
	if err != nil {
		return nil, err
	}
	folder, err := web.Submit(f, func() (File, error) { return p.svc.MakeFolder(r.Context(), at.Child(f.Text("name"))) })
	if f.Rejects(onName(err)) {
		return p.folderForm(r, at, f), nil
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Address("", at)).Toast("resource.folder_made", "name", folder.Name), nil
}

func (p *pages) askFile(r *http.Request) (web.Response, error) {
	ref, err := p.ref(r)
	if err == nil {
		err = p.svc.may(r.Context(), ref, Edit)
	}
	if err != nil {
		return nil, err
	}
	return p.fileForm(r, ref, nil), nil
}

func (p *pages) fileForm(r *http.Request, at Ref, f *web.Form) web.Response {
	ctx := r.Context()
	v := p.form(r, f, i18n.T(ctx, "resource.new_file"), "/new", at, map[string][]string{"tree": {at.Tenant}, "path": {at.Path}})
	v.Label, v.Hint, v.Text = i18n.T(ctx, "resource.field.name"), i18n.T(ctx, "resource.hint.file"), new(string)
	v.Form.Wide = true
	if f != nil {
		text := f.Raw("content")
		v.Name, v.Text = f.Text("name"), &text
	}
	return f.Again(view.NameForm(v))
}

func (p *pages) makeFile(r *http.Request) (web.Response, error) {
	f := web.ReadForm(r)
	at, err := p.at(r.Context(), f.Text("tree"), f.Raw("path"))
	if err != nil {
		return nil, err
	}
	text := lines(f.Raw("content"))
	file, err := web.Submit(f, func() (File, error) {
		return p.svc.Write(r.Context(), at.Child(f.Text("name")), Content{Reader: strings.NewReader(text), Size: int64(len(text)), When: Create})
	})
	if f.Rejects(onName(err)) {
		return p.fileForm(r, at, f), nil
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Address("/show", file.Ref())).Toast("resource.saved", "name", file.Name), nil
}

// lines undoes what browsers do to the ends of lines.
func lines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

func (p *pages) askRename(r *http.Request) (web.Response, error) {
	ref, err := p.ref(r)
	if err != nil {
		return nil, err
	}
	if _, err := p.svc.Get(r.Context(), ref); err != nil {
		return nil, err
	}
	return p.renameForm(r, ref, nil), nil
}

func (p *pages) renameForm(r *http.Request, ref Ref, f *web.Form) web.Response {
	ctx := r.Context()
	v := p.form(r, f, i18n.T(ctx, "resource.rename_name", "name", ref.Name()), "/rename", ref.Parent(), map[string][]string{"tree": {ref.Tenant}, "path": {ref.Path}})
	v.Label, v.Hint, v.Name = i18n.T(ctx, "resource.field.name"), i18n.T(ctx, "resource.hint.rename"), ref.Name()
	v.Form.Submit = i18n.T(ctx, "resource.rename")
	if f != nil {
		v.Name = f.Text("name")
	}
	return f.Again(view.NameForm(v))
}

func (p *pages) rename(r *http.Request) (web.Response, error) {
	f := web.ReadForm(r)
	ref, err := p.at(r.Context(), f.Text("tree"), f.Raw("path"))
	if err != nil {
		return nil, err
	}
	file, err := web.Submit(f, func() (File, error) { return p.svc.Move(r.Context(), ref, ref.Parent().Child(f.Text("name"))) })
	if f.Rejects(onName(err)) {
		return p.renameForm(r, ref, f), nil
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Address("", file.Ref().Parent())).Toast("resource.renamed", "name", file.Name), nil
}

// chosen are the files and folders that a request names, all in one tree, and the folder it came from.
func (p *pages) chosen(ctx context.Context, values url.Values) (folder Ref, refs []Ref, err error) {
	folder, err = p.at(ctx, values.Get("tree"), values.Get("path"))
	if err != nil {
		return folder, nil, err
	}
	for _, name := range values["name"] {
		refs = append(refs, Ref{folder.Tenant, name})
	}
	if len(refs) == 0 || len(refs) > listing.MaxSize {
		return folder, nil, ErrNotFound.With("name", folder.Path)
	}
	return folder, refs, nil
}

func names(refs []Ref) (all []string) {
	for _, r := range refs {
		all = append(all, r.Path)
	}
	return all
}

func (p *pages) askMove(r *http.Request) (web.Response, error) {
	folder, refs, err := p.chosen(r.Context(), r.URL.Query())
	if err == nil {
		err = p.svc.may(r.Context(), folder, Edit)
	}
	if err != nil {
		return nil, err
	}
	return p.moveForm(r, folder, refs, nil), nil
}

func (p *pages) moveForm(r *http.Request, folder Ref, refs []Ref, f *web.Form) web.Response {
	ctx := r.Context()
	hidden := map[string][]string{"tree": {folder.Tenant}, "path": {folder.Path}, "move": names(refs)}
	v := p.form(r, f, i18n.T(ctx, "resource.move_title", "count", len(refs)), "/move", folder, hidden)
	v.Label, v.Hint, v.Names, v.Name = i18n.T(ctx, "resource.field.target"), i18n.T(ctx, "resource.hint.target"), names(refs), folder.Path
	v.Form.Submit = i18n.T(ctx, "resource.move")
	if f != nil {
		v.Name = f.Text("name")
	}
	return f.Again(view.NameForm(v))
}

func (p *pages) move(r *http.Request) (web.Response, error) {
	ctx, f := r.Context(), web.ReadForm(r)
	folder, refs, err := p.chosen(ctx, url.Values{"tree": f.List("tree"), "path": {f.Raw("path")}, "name": f.List("move")})
	if err != nil {
		return nil, err
	}
	target := Ref{folder.Tenant, strings.Trim(f.Text("name"), "/")}
	_, err = web.Submit(f, func() (int, error) {
		return len(refs), p.svc.DB.InTx(ctx, func(ctx context.Context) error { // all of them or none
			for _, ref := range refs {
				if _, err := p.svc.Move(ctx, ref, target.Child(ref.Name())); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if f.Rejects(onName(err)) {
		return p.moveForm(r, folder, refs, f), nil
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Address("", target)).Toast("resource.moved", "count", len(refs)), nil
}

func (p *pages) askDelete(r *http.Request) (web.Response, error) {
	folder, refs, err := p.chosen(r.Context(), r.URL.Query())
	if err == nil {
		err = p.svc.may(r.Context(), folder, Edit)
	}
	if err != nil {
		return nil, err
	}
	return p.confirmDelete(r, folder, refs, "")
}

func (p *pages) confirmDelete(r *http.Request, folder Ref, refs []Ref, problem string) (web.Response, error) {
	ctx := r.Context()
	title := i18n.T(ctx, "resource.delete_title", "count", len(refs))
	return web.Page(view.Confirm(view.ConfirmProps{
		Shell: p.frame.Page(r, title, components.Crumb{Label: i18n.T(ctx, "resource.title"), URL: Address("", folder)}),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "resource.delete_text"), Action: Path + "/delete", Submit: i18n.T(ctx, "resource.delete"),
			CancelURL: Address("", folder), Details: names(refs), Error: problem, Test: "file.delete",
		},
		Hidden: map[string][]string{"tree": {folder.Tenant}, "path": {folder.Path}, "name": names(refs)},
	})), nil
}

func (p *pages) remove(r *http.Request) (web.Response, error) {
	ctx, f := r.Context(), web.ReadForm(r)
	folder, refs, err := p.chosen(ctx, url.Values{"tree": f.List("tree"), "path": {f.Raw("path")}, "name": f.List("name")})
	if err != nil {
		return nil, err
	}
	err = p.svc.DB.InTx(ctx, func(ctx context.Context) error {
		for _, ref := range refs {
			if err := p.svc.Delete(ctx, ref); err != nil {
				return err
			}
		}
		return nil
	})
	if web.Conflicts(err) {
		answer, problem := p.confirmDelete(r, folder, refs, web.Message(ctx, err))
		return answer, problem
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Address("", folder)).Toast("resource.deleted", "count", len(refs)), nil
}
