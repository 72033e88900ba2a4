// Package web is how pages are served: a handler returns what to send, and one
// adapter (Site) renders it, whole or in part, and shows what went wrong.
//
// # How to write a page
//
// A module has pages.go (handlers), routes.go (addresses) and, under views/, a
// component with a view model of its own. A handler decodes the request, calls the
// service, maps to the view model, and returns:
//
//	func (p pages) index(r *http.Request) (web.Response, error) {
//		page, err := p.svc.List(r.Context(), listing.From(r, sortable))
//		if err != nil {
//			return nil, err
//		}
//		return web.Page(security.Tenants(p.list(r, page))), nil
//	}
//
// One line in the component puts it into the shell (navigation, header, toasts):
// see views/layout. One handler serves the page load and the htmx request: a part
// of a page that can be replaced is a templ.Fragment with the name of its
// element's id, and Page sends just that fragment when htmx asks for that element.
//
// # Addresses
//
//	web.Resource{Path: "/security/tenants", Index: p.index, New: p.new, Create: p.create,
//		Edit: p.edit, Update: p.update, Confirm: p.confirm, Delete: p.remove}.Mount(r, site)
//	r.Get("/projects/{project}/workflows", site.Handle(p.index))
//
// Everything that changes something is a POST. web.ID(r) and web.Number(r, "project")
// read numbers from the address; what is not a number is a page that does not exist.
//
// # Forms
//
//	func (p pages) create(r *http.Request) (web.Response, error) {
//		f := web.ReadForm(r)
//		d := Draft{Code: f.Text("code"), QueueID: f.Int64("queue_id")}
//		t, err := web.Submit(f, func() (Tenant, error) { return p.svc.Create(r.Context(), d) })
//		if f.Rejects(err) { // Invalid and Conflict faults: messages beside the fields
//			return p.form(r, d, f)   // … returns f.Again(security.TenantForm(model)), nil
//		}
//		if err != nil {
//			return nil, err
//		}
//		return web.Redirect("/security/tenants").Toast("tenant.created", "name", t.Code), nil
//	}
//
// The model takes f.Error("code"), or f.Errors() as a map, and f.Notice() for the
// form as a whole; both work on a nil form, for the first showing. The same form
// is a page of its own without scripts and a dialog with them (components.FormPage).
// Redirect is a 303 for a plain form; htmx opens the page by itself, or only
// refreshes one element of it after Redirect(url).Into("list").
//
// # Errors
//
// Return errors as they are. A fault.Error is shown with its own message and the
// status of its kind; everything else is "internal error" with a request id, and
// the cause is in the log under that id. A page load gets an error page, a part
// gets a notice that leaves the page as it was, scripts that accept JSON get
// {"code","message","request_id","fields"}. Unauthenticated leads to /login and
// back; in a part it opens the sign-in dialog.
//
// # Live pages
//
//	return web.Events(func(ctx context.Context, out *web.Stream) error {
//		for {
//			select {
//			case <-ctx.Done(): // the browser left, or the server shuts down
//				return nil
//			case e := <-changes:
//				if err := out.Send(e.ID, "dag-states", e.JSON); err != nil {
//					return nil
//				}
//			}
//		}
//	}), nil
//
// Heartbeats are sent by themselves; out.LastID() says where a reconnecting browser
// left off.
//
// # What every request passes
//
// Site.Middleware gives a request its id, the caller's address (through trusted
// proxies), language and zone (cookie, then Accept-Language; signing in puts the
// saved ones over them), an access log line, security headers, compression, and
// turns panics into errors. Site.Pages refuses forms of other sites and bodies that
// are too large. Who is signed in is put into the context by the session
// middleware of modules/security/account: ViewerFrom for how a page looks, the
// principal of modules/access for what one may do.
package web
