package workflow

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/modules/project"
	"dorado/views/components"
	"dorado/views/security"
	view "dorado/views/workflow"
)

// versionsSpec is what the list of versions can be asked for: its order is fixed.
func versionsSpec() listing.Spec { return listing.Spec{} }

func (p *pages) versions(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, w, err := p.found(r, Read)
	if err != nil {
		return nil, err
	}
	q := frame.Query(r, versionsSpec())
	list, total, err := p.svc.Versions(ctx, w.Code, q.Size, (q.Page-1)*q.Size)
	if err != nil {
		return nil, err
	}
	at := address(in.Code, w.Code)
	v := view.VersionsPage{
		Shell: p.shell(r, in, w, i18n.T(ctx, "workflow.versions")), Name: w.Name, State: string(w.ReleaseState), BackURL: at,
		Pager: components.PagerProps{Path: at + "/versions", Query: url.Values{}, Page: q.Page, Size: q.Size, Total: total},
	}
	if total > 1 {
		v.CompareURL = at + "/versions/compare"
	}
	for i, one := range list {
		row := p.versionRow(ctx, w, one)
		if i+1 < len(list) {
			row.ChangesURL = v.CompareURL + "?old=" + strconv.Itoa(list[i+1].Version) + "&new=" + strconv.Itoa(one.Version)
		}
		v.Rows = append(v.Rows, row)
	}
	return web.Page(view.Versions(v)), nil
}

func (p *pages) versionRow(ctx context.Context, w Workflow, v Version) view.VersionRow {
	at := address(w.ProjectCode, w.Code) + "/versions/" + strconv.Itoa(v.Version)
	row := view.VersionRow{
		Version: v.Version, URL: at, Current: v.Version == w.Version, Message: v.Message, Author: v.OperatorName, At: v.CreatedAt,
		Tasks: v.TaskCount, Added: v.Added, Changed: v.Changed, Removed: v.Removed,
	}
	if row.Current || !p.svc.Can(ctx, w.ProjectCode, Edit) {
		return row
	}
	row.RestoreURL, row.DeleteURL = at+"/restore", at+"/delete"
	if w.Online() {
		row.RestoreDisabled = i18n.T(ctx, "workflow.restore.online")
	}
	return row
}

// ofVersion reads the version in the address.
func ofVersion(r *http.Request) (int, error) {
	n, err := web.Number(r, "version")
	if err != nil || n > 1<<31-1 {
		return 0, ErrVersionNotFound.With("version", n)
	}
	return int(n), nil
}

// version shows one version, which nobody can change.
func (p *pages) version(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	in, w, err := p.found(r, Read)
	if err != nil {
		return nil, err
	}
	n, err := ofVersion(r)
	if err != nil {
		return nil, err
	}
	v, def, err := p.svc.Version(ctx, w.Code, n)
	if err != nil {
		return nil, err
	}
	title := i18n.T(ctx, "workflow.version", "version", n)
	shell := p.shell(r, in, w, title, components.Crumb{Label: i18n.T(ctx, "workflow.versions"), URL: address(in.Code, w.Code) + "/versions"})
	if r.URL.Query().Get("view") == "static" {
		return p.static(shell, def)
	}
	doc, err := p.document(ctx, in, w, def)
	if err != nil {
		return nil, err
	}
	doc.Mode = "read"
	doc.ReadReason = i18n.T(ctx, "workflow.version.read_only", "version", n, "user", v.OperatorName, "time", i18n.DateTime(ctx, v.CreatedAt))
	at := address(in.Code, w.Code)
	doc.URLs = map[string]string{"layout": at + "/layout", "versions": at + "/versions", "close": at + "/versions"}
	return p.editorPage(r, shell, doc, def)
}

func (p *pages) restore(r *http.Request) (web.Response, error) {
	in, w, err := p.found(r, Edit)
	if err != nil {
		return nil, err
	}
	n, err := ofVersion(r)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	saved, err := p.svc.Restore(ctx, w.Code, n, i18n.T(ctx, "workflow.restore.message", "version", n))
	if err != nil {
		return nil, err
	}
	toast := "workflow.restored"
	if !saved.Changed {
		toast = "workflow.restored_same"
	}
	return web.Redirect(address(in.Code, w.Code)+"/versions").Toast(toast, "version", n, "new", saved.Workflow.Version), nil
}

func (p *pages) confirmVersion(r *http.Request) (web.Response, error) {
	in, w, err := p.found(r, Edit)
	if err != nil {
		return nil, err
	}
	return p.askVersion(r, in, w, nil)
}

func (p *pages) removeVersion(r *http.Request) (web.Response, error) {
	in, w, err := p.found(r, Edit)
	if err != nil {
		return nil, err
	}
	n, err := ofVersion(r)
	if err != nil {
		return nil, err
	}
	err = p.svc.DeleteVersion(r.Context(), w.Code, n)
	if web.Conflicts(err) {
		return p.askVersion(r, in, w, err)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(address(in.Code, w.Code)+"/versions").Toast("workflow.version_deleted", "version", n), nil
}

// askVersion shows the question before a version is deleted, or why it cannot be.
func (p *pages) askVersion(r *http.Request, in project.Project, w Workflow, refused error) (web.Response, error) {
	ctx := r.Context()
	n, err := ofVersion(r)
	if err != nil {
		return nil, err
	}
	if _, err := p.svc.store.version(ctx, w.Code, n); err != nil {
		return nil, err
	}
	back := address(in.Code, w.Code) + "/versions"
	title := i18n.T(ctx, "workflow.version_delete.title", "version", n, "name", w.Name)
	v := security.DeletePage{
		Shell: p.shell(r, in, w, title),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, "workflow.version_delete.text"), Action: back + "/" + strconv.Itoa(n) + "/delete",
			Submit: i18n.T(ctx, "workflow.delete"), CancelURL: back, Test: "version.delete",
		},
	}
	status := http.StatusOK
	if refused != nil {
		status = http.StatusConflict
		v.Refused = &security.RefusedProps{Title: title, Text: web.Message(ctx, refused), BackURL: back}
	}
	return web.Page(security.Delete(v)).Status(status), nil
}
