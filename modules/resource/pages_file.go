package resource

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/plugins/storage"
	"dorado/views/components"
	view "dorado/views/resource"
)

const (
	shownUses     = 20
	previewRows   = 50
	previewFields = 40
	maxImage      = 20 << 20 // bytes of a picture that is shown
)

// onName puts a fault that is about a name beside the field.
func onName(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || len(f.Fields) > 0 {
		return err
	}
	for _, of := range []*fault.Error{ErrBadPath, ErrExists, ErrNotFolder, ErrInUse, ErrIntoItself, ErrForeign, ErrTooLarge, ErrQuota} {
		if errors.Is(err, of) {
			return fault.New(fault.Invalid, f.Key).With(f.Pairs()...).OnField("name", f.Key, f.Pairs()...)
		}
	}
	return err
}

// receive takes the content of a file as the body of the request, while it is sent.
func (p *pages) receive(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	ref, err := p.ref(r)
	if err != nil {
		return nil, err
	}
	c := Content{Reader: web.WholeBody(r), Size: storage.Unknown}
	if r.ContentLength > 0 || r.ContentLength == 0 && r.Body == http.NoBody {
		c.Size = r.ContentLength
	}
	switch r.URL.Query().Get("when") {
	case "replace":
		c.When = Put
	case "both": // under another name when it is taken
		if ref, err = p.free(ctx, ref); err != nil {
			return nil, err
		}
	}
	f, err := p.svc.Write(ctx, ref, c)
	if err != nil {
		return p.refused(ctx, err)
	}
	return web.JSON(http.StatusOK, map[string]any{"name": f.Name, "revision": f.Revision, "sha256": f.SHA256}), nil
}

// refused tells a script why, in the language of the viewer.
func (p *pages) refused(ctx context.Context, err error) (web.Response, error) {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind == fault.Internal {
		return nil, err
	}
	status := http.StatusUnprocessableEntity
	if errors.Is(err, ErrExists) {
		status = http.StatusConflict
	}
	return web.JSON(status, map[string]string{"error": web.Message(ctx, err)}), nil
}

// free is the name itself, or the first of "name (2).txt", "name (3).txt", … that nothing has.
func (p *pages) free(ctx context.Context, ref Ref) (Ref, error) {
	ext := path.Ext(ref.Name())
	stem := strings.TrimSuffix(ref.Path, ext)
	for n := 2; ; n++ {
		_, err := p.svc.Get(ctx, ref)
		if errors.Is(err, ErrNotFound) {
			return ref, nil
		}
		if err != nil {
			return ref, err
		}
		ref.Path = fmt.Sprintf("%s (%d)%s", stem, n, ext)
	}
}

func (p *pages) download(r *http.Request) (web.Response, error) {
	ref, err := p.ref(r)
	if err != nil {
		return nil, err
	}
	revision, _ := strconv.Atoi(r.URL.Query().Get("revision"))
	f, content, err := p.svc.Open(r.Context(), ref, revision, 0)
	if err != nil {
		return nil, err
	}
	return web.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer func() { _ = content.Close() }()
		attach(w, f)
		_, _ = io.Copy(w, content)
	})), nil
}

// images are the kinds of pictures that are shown. SVG is none: it can hold scripts.
func images() map[string]string {
	return map[string]string{".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
}

func (p *pages) image(r *http.Request) (web.Response, error) {
	ref, err := p.ref(r)
	if err != nil {
		return nil, err
	}
	kind, ok := images()[strings.ToLower(path.Ext(ref.Name()))]
	if !ok {
		return nil, ErrNotFound.With("name", ref.String())
	}
	f, content, err := p.svc.Open(r.Context(), ref, 0, 0)
	if err != nil {
		return nil, err
	}
	return web.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer func() { _ = content.Close() }()
		w.Header().Set("Content-Type", kind)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
		w.Header().Set("Content-Length", strconv.FormatInt(f.Size, 10))
		_, _ = io.Copy(w, content)
	})), nil
}

// zip packs what was chosen while it is sent.
func (p *pages) zip(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	folder, refs, err := p.chosen(ctx, r.URL.Query())
	if err != nil {
		return nil, err
	}
	var files []File
	for _, ref := range refs {
		f, err := p.svc.Get(ctx, ref)
		if err != nil {
			return nil, err
		}
		if !f.Dir {
			files = append(files, f)
			continue
		}
		below, err := p.svc.Tree(ctx, ref)
		if err != nil {
			return nil, err
		}
		files = append(files, below...)
	}
	name := folder.Name()
	if folder.Root() {
		name = folder.Tenant
	}
	return web.Download(name+".zip", func(w io.Writer) error {
		out := zip.NewWriter(w)
		for _, f := range files {
			if f.Dir {
				continue
			}
			if err := p.pack(ctx, out, f, strings.TrimPrefix(strings.TrimPrefix(f.Path, folder.Path), "/")); err != nil {
				return err
			}
		}
		return out.Close()
	}), nil
}

func (p *pages) pack(ctx context.Context, out *zip.Writer, f File, name string) error {
	w, err := out.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: f.UpdatedAt})
	if err != nil {
		return err
	}
	_, content, err := p.svc.Open(ctx, f.Ref(), 0, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, content)
	return errors.Join(err, content.Close())
}

func (p *pages) show(r *http.Request) (web.Response, error) {
	ref, err := p.ref(r)
	if err != nil {
		return nil, err
	}
	v, err := p.file(r, ref)
	if err != nil {
		return nil, err
	}
	return web.Page(view.File(v)), nil
}

func (p *pages) file(r *http.Request, ref Ref) (view.FilePage, error) {
	ctx := r.Context()
	f, all, err := p.svc.Revisions(ctx, ref)
	if err != nil {
		return view.FilePage{}, err
	}
	uses, err := p.svc.Uses(ctx, ref, shownUses+1)
	if err != nil {
		return view.FilePage{}, err
	}
	shown, _ := strconv.Atoi(r.URL.Query().Get("revision"))
	if shown <= 0 {
		shown = f.Revision
	}
	v := view.FilePage{
		Name: f.Name, FullName: p.svc.Names.Full(ref), Size: i18n.Bytes(ctx, f.Size), SHA256: f.SHA256, Revision: shown, Latest: f.Revision,
		UserName: f.UserName, UpdatedAt: f.UpdatedAt, Language: language(f.Name), DownloadURL: Address("/download", ref), Tree: ref.Tenant,
		Folder: ref.Parent().Path, Max: p.svc.Config.MaxFile,
	}
	above := append([]components.Crumb{{Label: i18n.T(ctx, "resource.title"), URL: Path}}, crumbs(ref.Parent())...)
	v.Shell = p.frame.Page(r, f.Name, above...)
	v.Shell.Scripts = append(v.Shell.Scripts, "js/elements/code-field.js", "js/elements/file-drop.js")
	if p.svc.Access.Can(ctx, Edit) {
		v.ReplaceURL, v.PartsURL, v.RenameURL = Path+"/content", Path+"/uploads", Address("/rename", ref)
		v.SaveURL = Address("/show", ref)
		v.DeleteURL = p.row(ctx, f, ref.Parent(), true).DeleteURL
	}
	for _, old := range all {
		at := "&revision=" + strconv.Itoa(old.Number)
		row := view.RevisionRow{
			Number: old.Number, Current: old.Number == f.Revision, Shown: old.Number == shown, Size: i18n.Bytes(ctx, old.Size), UserName: old.UserName,
			At: old.CreatedAt, Message: old.Message, URL: Address("/show", ref) + at, DownloadURL: Address("/download", ref) + at,
		}
		if v.SaveURL != "" {
			row.RestoreURL = Address("/restore", ref) + at
		}
		v.Revisions = append(v.Revisions, row)
	}
	for i, u := range uses {
		if i == shownUses {
			v.MoreUses = true
			break
		}
		v.Uses = append(v.Uses, view.UseRow{Workflow: u.Workflow, Task: u.Task, URL: u.URL})
	}
	if shown != f.Revision {
		v.SaveURL = ""
	}
	err = p.content(ctx, &v, f, ref, shown)
	return v, err
}

// content fills in what there is to see of the content.
func (p *pages) content(ctx context.Context, v *view.FilePage, f File, ref Ref, revision int) error {
	ext := strings.ToLower(path.Ext(f.Name))
	if _, ok := images()[ext]; ok && f.Size <= maxImage {
		v.ImageURL = Address("/image", ref)
		return nil
	}
	old, text, err := p.svc.Text(ctx, ref, revision)
	switch {
	case errors.Is(err, ErrNotText) && old.Size > MaxText:
		v.Why = i18n.T(ctx, "resource.too_large_to_show", "limit", i18n.Bytes(ctx, MaxText))
		return nil
	case errors.Is(err, ErrNotText):
		v.Why = i18n.T(ctx, "resource.binary")
		return nil
	case err != nil:
		return err
	}
	v.IsText, v.Text, v.SHA256, v.Size = true, text, old.SHA256, i18n.Bytes(ctx, old.Size)
	if ext == ".csv" || ext == ".tsv" {
		v.Table, v.More = table(text, ext == ".tsv")
	}
	return nil
}

// table is the beginning of a CSV file; nothing when it is none.
func table(text string, tabs bool) (rows [][]string, more bool) {
	in := csv.NewReader(strings.NewReader(text))
	in.FieldsPerRecord, in.LazyQuotes = -1, true
	if tabs {
		in.Comma = '\t'
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows, false
		}
		if err != nil {
			return nil, false
		}
		if len(rows) > previewRows {
			return rows, true
		}
		rows = append(rows, row[:min(len(row), previewFields)])
	}
}

func language(name string) string {
	switch ext := strings.TrimPrefix(strings.ToLower(path.Ext(name)), "."); ext {
	case "sh", "bat", "env":
		return "shell"
	case "py":
		return "python"
	case "sql", "hql":
		return "sql"
	case "js", "ts":
		return "javascript"
	case "yml", "yaml":
		return "yaml"
	case "json", "xml", "java":
		return ext
	default:
		return "text"
	}
}

func (p *pages) save(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	ref, err := p.ref(r)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	text := lines(f.Raw("content"))
	file, err := web.Submit(f, func() (File, error) {
		return p.svc.Write(ctx, ref, Content{
			Reader: strings.NewReader(text), Size: int64(len(text)), Message: f.Text("message"), When: Replace, Seen: f.Int("seen"),
		})
	})
	if f.Rejects(err) || web.Conflicts(err) {
		v, problem := p.file(r, ref)
		if problem != nil {
			return nil, problem
		}
		v.IsText, v.Text, v.Error = true, text, f.Notice()
		if v.Error == "" {
			v.Error = web.Message(ctx, err)
		}
		return web.Invalid(view.File(v)), nil
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Address("/show", ref)).Toast("resource.saved", "name", file.Name), nil
}

func (p *pages) restore(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	ref, err := p.ref(r)
	if err != nil {
		return nil, err
	}
	revision, err := strconv.Atoi(r.URL.Query().Get("revision"))
	if err != nil || revision < 1 {
		return nil, ErrNotFound.With("name", ref.String())
	}
	if _, err := p.svc.Restore(ctx, ref, revision, i18n.T(ctx, "resource.restored_from", "number", revision)); err != nil {
		return nil, err
	}
	return web.Redirect(Address("/show", ref)).Toast("resource.restored", "number", revision), nil
}
