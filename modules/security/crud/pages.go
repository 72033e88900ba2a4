package crud

import (
	"context"
	"net/http"
	"strconv"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/i18n"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
	"dorado/modules/frame"
	"dorado/views/components"
	view "dorado/views/crud"
	"dorado/views/layout"
	"dorado/views/security"
)

// shownUses is how many objects in the way of deleting are named.
const shownUses = 20

// Column is a column between the name and the moment of the last change.
type Column struct {
	Key   string // its head is the message <Keys>field.<Key>; it sorts when the Spec knows the key
	Drop  int    // see components.Column
	Right bool   // numbers
}

// Pages are the pages of a noun. Texts are messages that begin with Keys, such as "tenant.": title, subtitle, create,
// edit, search, empty.title, empty.text, created, saved, deleted, delete.title, delete.text and field.<column>.
type Pages[T Object, D Draft[D]] struct {
	Path   string // of the list
	Keys   string
	Test   string // prefix of data-test: "tenant"
	Icon   string
	Wide   bool
	Spec   listing.Spec
	Keeper *Keeper[T, D]
	// Shell is the frame of a page: frame.Frame.Page, or a project's.
	Shell func(r *http.Request, title string, above ...components.Crumb) layout.ShellProps
	// MayList returns a fault when whoever asks may not see the list; nil: who may not change may not see.
	MayList func(ctx context.Context) error
	// Columns are those after the first, which shows the name; the last change follows them.
	Columns []Column
	// Cells are what a row shows, name first, for as many columns.
	Cells func(ctx context.Context, t T) []view.Cell
	// Fixed says that an object can be neither edited nor deleted by whoever asks; nil: all can.
	Fixed func(ctx context.Context, t T) (edit, remove bool)
	// Decorate adds to the page of the list what this noun alone has; nil adds nothing.
	Decorate func(r *http.Request, page listing.Page[T], v *view.Page) error
	Draft    func(t T) D
	Read     func(f *web.Form) D
	// Form draws the form of a draft; f is nil when it is shown for the first time.
	Form func(ctx context.Context, p view.Form, d D, f *web.Form) (templ.Component, error)
}

// Mount adds the routes.
func (p Pages[T, D]) Mount(r chi.Router, site *web.Site) {
	web.Resource{
		Path: p.Path, Index: p.Index, New: p.New, Create: p.Create, Edit: p.Edit, Update: p.Update, Confirm: p.Confirm, Delete: p.Delete,
	}.Mount(r, site)
}

// Address is a page of the object with this id: "/edit", "/delete", or "" for where its form is sent.
func (p Pages[T, D]) Address(id int64, action string) string {
	return p.Path + "/" + strconv.FormatInt(id, 10) + action
}

func (p Pages[T, D]) may(ctx context.Context) bool { return p.Keeper.MayChange(ctx, nil) == nil }

// Index answers with the list.
func (p Pages[T, D]) Index(r *http.Request) (web.Response, error) {
	ctx := r.Context()
	mayList := p.MayList
	if mayList == nil {
		mayList = func(ctx context.Context) error { return p.Keeper.MayChange(ctx, nil) }
	}
	if err := mayList(ctx); err != nil {
		return nil, err
	}
	q := frame.Query(r, p.Spec)
	page, err := p.Keeper.Page(ctx, q)
	if err != nil {
		return nil, err
	}
	list := frame.Listed(p.Path, q, page)
	v := view.Page{
		Shell: p.Shell(r, i18n.T(ctx, p.Keys+"title")), List: list, Title: i18n.T(ctx, p.Keys+"title"), Text: i18n.T(ctx, p.Keys+"subtitle"),
		Placeholder: i18n.T(ctx, p.Keys+"search"), Icon: p.Icon, Create: i18n.T(ctx, p.Keys+"create"), Wide: p.Wide, Test: p.Test + "s",
		EmptyTitle: i18n.T(ctx, p.Keys+"empty.title"), EmptyText: i18n.T(ctx, p.Keys+"empty.text"), Columns: p.columns(ctx, list),
	}
	if p.may(ctx) {
		v.NewURL = p.Path + "/new"
	}
	for _, t := range page.Items {
		v.Rows = append(v.Rows, p.row(ctx, t))
	}
	if p.Decorate != nil {
		if err := p.Decorate(r, page, &v); err != nil {
			return nil, err
		}
	}
	return web.Page(view.Index(v)), nil
}

func (p Pages[T, D]) columns(ctx context.Context, list components.Listing) []components.Column {
	head := func(key, label string) components.Column {
		if _, sorts := p.Spec.Columns[key]; sorts {
			return list.Column(key, label)
		}
		return components.Column{Label: label}
	}
	out := make([]components.Column, 0, len(p.Columns)+2)
	for _, c := range p.Columns {
		h := head(c.Key, i18n.T(ctx, p.Keys+"field."+c.Key))
		h.Drop, h.Right = c.Drop, c.Right
		out = append(out, h)
	}
	updated := head("updated", i18n.T(ctx, "security.updated"))
	updated.Drop = 2
	return append(out, updated, components.Column{Label: i18n.T(ctx, "security.actions"), Hidden: true})
}

func (p Pages[T, D]) row(ctx context.Context, t T) view.Row {
	ref := t.Ref()
	row := view.Row{Name: ref.Name, Cells: append(p.Cells(ctx, t), view.Cell{At: ref.UpdatedAt})}
	edit, remove := true, true
	if p.Fixed != nil {
		edit, remove = p.Fixed(ctx, t)
	} else if !p.may(ctx) {
		return row
	}
	if edit {
		row.EditURL = p.Address(ref.ID, "/edit")
	}
	if remove {
		row.DeleteURL = p.Address(ref.ID, "/delete")
	}
	return row
}

// New answers with an empty form.
func (p Pages[T, D]) New(r *http.Request) (web.Response, error) {
	if err := p.Keeper.MayChange(r.Context(), nil); err != nil {
		return nil, err
	}
	var d D
	return p.form(r, 0, d, "", nil)
}

// NewFrom is New with a draft to begin with.
func (p Pages[T, D]) NewFrom(r *http.Request, d D) (web.Response, error) {
	if err := p.Keeper.MayChange(r.Context(), nil); err != nil {
		return nil, err
	}
	return p.form(r, 0, d, "", nil)
}

// Create answers the form of a new object.
func (p Pages[T, D]) Create(r *http.Request) (web.Response, error) {
	if err := p.Keeper.MayChange(r.Context(), nil); err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	d := p.Read(f)
	t, err := web.Submit(f, func() (T, error) { return p.Keeper.Create(r.Context(), d) })
	if f.Rejects(err) {
		return p.form(r, 0, d, "", f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(p.Path).Toast(p.Keys+"created", "name", t.Ref().Name), nil
}

// Edit answers with the form of an object.
func (p Pages[T, D]) Edit(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	t, err := p.Keeper.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if err := p.Keeper.MayChange(r.Context(), &t); err != nil {
		return nil, err
	}
	return p.form(r, id, p.Draft(t), web.Stamp(t.Ref().UpdatedAt), nil)
}

// Update answers the form of an object.
func (p Pages[T, D]) Update(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	t, err := p.Keeper.Get(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if err := p.Keeper.MayChange(r.Context(), &t); err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	d := p.Read(f)
	t, err = web.Submit(f, func() (T, error) { return p.Keeper.Update(r.Context(), id, d, f.Stamp()) })
	if f.Rejects(err) {
		return p.form(r, id, d, f.Text(web.StampField), f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(p.Path).Toast(p.Keys+"saved", "name", t.Ref().Name), nil
}

// Again shows the form of a draft once more when it was sent for something else than saving, such as trying it out: with the
// complaints of f, or none when f is nil.
func (p Pages[T, D]) Again(r *http.Request, id int64, d D, stamp string, f *web.Form) (web.Response, error) {
	return p.form(r, id, d, stamp, f)
}

// form shows the form of a new object (id 0) or of one, again with its faults when f has any.
func (p Pages[T, D]) form(r *http.Request, id int64, d D, stamp string, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	v := view.Form{
		Title: i18n.T(ctx, p.Keys+"create"), Action: p.Path, CancelURL: p.Path, New: id == 0, Stamp: stamp,
		Error: f.Notice(), Errors: f.Errors(), Test: p.Test,
	}
	if id != 0 {
		v.Title, v.Action = i18n.T(ctx, p.Keys+"edit"), p.Address(id, "")
	}
	v.Shell = p.Shell(r, v.Title, p.crumb(ctx))
	c, err := p.Form(ctx, v, d, f)
	if err != nil {
		return nil, err
	}
	return f.Again(c), nil
}

// Confirm asks before deleting.
func (p Pages[T, D]) Confirm(r *http.Request) (web.Response, error) {
	return p.ask(r, http.StatusOK, nil)
}

// Delete removes an object.
func (p Pages[T, D]) Delete(r *http.Request) (web.Response, error) {
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	err = p.Keeper.Delete(r.Context(), id)
	if web.Conflicts(err) {
		return p.ask(r, http.StatusConflict, err)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(p.Path).Toast(p.Keys + "deleted"), nil
}

// ask shows the question before deleting, or what stands in the way.
func (p Pages[T, D]) ask(r *http.Request, status int, refused error) (web.Response, error) {
	ctx := r.Context()
	id, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	t, uses, err := p.Keeper.Uses(ctx, id, shownUses+1)
	if err != nil {
		return nil, err
	}
	if err := p.Keeper.MayChange(ctx, &t); err != nil {
		return nil, err
	}
	name := t.Ref().Name
	title := i18n.T(ctx, p.Keys+"delete.title", "name", name)
	v := security.DeletePage{
		Shell: p.Shell(r, title, p.crumb(ctx)),
		Confirm: components.ConfirmProps{
			Title: title, Text: i18n.T(ctx, p.Keys+"delete.text"), Action: p.Address(id, "/delete"),
			Submit: i18n.T(ctx, "security.delete_submit"), CancelURL: p.Path, Test: p.Test + ".delete",
		},
	}
	switch {
	case len(uses) > 0:
		v.Refused = Refused(ctx, name, p.Path, p.Keeper.InUse, uses)
	case refused != nil:
		v.Refused = &security.RefusedProps{Title: title, Text: web.Message(ctx, refused), BackURL: p.Path}
	}
	return web.Page(security.Delete(v)).Status(status), nil
}

// Refused names what keeps an object from being deleted.
func Refused(ctx context.Context, name, back string, inUse *fault.Error, uses []Use) *security.RefusedProps {
	out := &security.RefusedProps{
		Title: i18n.T(ctx, "security.in_use.title", "name", name), Text: i18n.T(ctx, inUse.Key, "name", name), BackURL: back,
	}
	for i, u := range uses {
		if i == shownUses {
			out.More = i18n.T(ctx, "security.in_use.more")
			break
		}
		out.Links = append(out.Links, security.Link{Label: u.Name, Note: i18n.T(ctx, u.Kind), URL: u.URL})
	}
	return out
}

func (p Pages[T, D]) crumb(ctx context.Context) components.Crumb {
	return components.Crumb{Label: i18n.T(ctx, p.Keys+"title"), URL: p.Path}
}
