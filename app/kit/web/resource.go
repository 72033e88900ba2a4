package web

import (
	"github.com/go-chi/chi/v5"
)

// Resource mounts the conventional addresses of a noun from functions. A nil
// function is a page the module does not have.
//
//	GET  {Path}              Index   the list
//	GET  {Path}/new          New     an empty form, as a page or in a dialog
//	POST {Path}              Create
//	GET  {Path}/{id}         Show
//	GET  {Path}/{id}/edit    Edit    the form of one, as a page or in a dialog
//	POST {Path}/{id}         Update
//	GET  {Path}/{id}/delete  Confirm what deleting means, as a page or in a dialog
//	POST {Path}/{id}/delete  Delete
//
// Everything that changes something is a POST, so that it works as a plain form.
// The functions read the id with ID.
type Resource struct {
	Path    string
	Index   Handler
	New     Handler
	Create  Handler
	Show    Handler
	Edit    Handler
	Update  Handler
	Confirm Handler
	Delete  Handler
}

// Mount adds the routes to r.
func (res Resource) Mount(r chi.Router, s *Site) {
	get := func(path string, h Handler) {
		if h != nil {
			r.Get(res.Path+path, s.Handle(h))
		}
	}
	post := func(path string, h Handler) {
		if h != nil {
			r.Post(res.Path+path, s.Handle(h))
		}
	}
	get("", res.Index)
	get("/new", res.New)
	post("", res.Create)
	get("/{id}", res.Show)
	get("/{id}/edit", res.Edit)
	post("/{id}", res.Update)
	get("/{id}/delete", res.Confirm)
	post("/{id}/delete", res.Delete)
}
