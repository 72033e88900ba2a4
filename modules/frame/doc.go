// Package frame puts a page into the product's surroundings: navigation, head,
// account menu, messages. It joins what kit/web knows about the request with the
// view models of views/layout, so that a page needs one line for it:
//
//	Shell: p.frame.Page(r, i18n.T(r.Context(), "tenant.title")),
//
// Modules say where they stand in the navigation as data (Entry); boot collects
// them with Add before the first request. An entry that the viewer may not open is
// not shown, which is a courtesy: the permission is checked in the service.
package frame
