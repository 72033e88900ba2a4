package resource

import (
	"errors"
	"net/http"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/views/components"
	view "dorado/views/resource"
)

// allTrees is what the form says for all trees that the viewer may see.
const allTrees = "*"

// search shows where a text is: in names, and in the lines of text files.
func (p *pages) search(r *http.Request) (web.Response, error) {
	ctx, q := r.Context(), r.URL.Query()
	trees, err := p.svc.Trees(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.svc.Configured(); err != nil {
		return nil, err
	}
	var folders []Ref
	if q.Get("tree") == allTrees {
		for _, t := range trees {
			folders = append(folders, Ref{Tenant: t})
		}
	} else {
		folder, err := p.ref(r)
		if err == nil {
			err = p.svc.folder(ctx, folder)
		}
		if err != nil {
			return nil, err
		}
		folders = []Ref{folder}
	}
	v := view.SearchPage{
		Shell: p.frame.Page(r, i18n.T(ctx, "resource.search_in"), components.Crumb{Label: i18n.T(ctx, "resource.title"), URL: Address("", folders[0])}),
		URL:   Path + "/search", Text: q.Get("q"), Tree: q.Get("tree"), Asked: q.Has("q"),
	}
	if q.Get("tree") != allTrees {
		v.Tree, v.Folder = folders[0].Tenant, folders[0].Path
		v.Path = crumbs(folders[0])
	}
	for _, t := range trees {
		v.Trees = append(v.Trees, components.Option{Value: t, Label: t})
	}
	if len(v.Trees) > 1 {
		v.Trees = append(v.Trees, components.Option{Value: allTrees, Label: i18n.T(ctx, "resource.search_all")})
	}
	if !v.Asked {
		return web.Page(view.Search(v)), nil
	}
	found, err := p.svc.Search(ctx, v.Text, folders...)
	if errors.Is(err, ErrNeedle) {
		v.Asked, v.Error = false, web.Message(ctx, err)
		return web.Invalid(view.Search(v)), nil
	}
	if err != nil {
		return nil, err
	}
	v.Partial, v.Read = found.Partial, i18n.T(ctx, "resource.search_read", "files", i18n.Number(ctx, int64(found.Read)))
	name := func(f File) string {
		if len(folders) > 1 {
			return f.Tenant + "/" + f.Path
		}
		return f.Path
	}
	for _, f := range found.Names {
		page, sign := "/show", icon(f.Name)
		if f.Dir {
			page, sign = "", "folder"
		}
		v.Names = append(v.Names, view.FoundFile{Name: name(f), URL: Address(page, f.Ref()), Icon: sign})
	}
	for i, h := range found.Hits {
		row := view.FoundLine{Line: i18n.Number(ctx, int64(h.Line)), Before: h.Before, Match: h.Match, After: h.After}
		if i == 0 || found.Hits[i-1].File.ID != h.File.ID {
			v.Files = append(v.Files, view.FoundFile{Name: name(h.File), URL: Address("/show", h.File.Ref()), Icon: icon(h.File.Name)})
		}
		last := &v.Files[len(v.Files)-1]
		last.Lines = append(last.Lines, row)
	}
	return web.Page(view.Search(v)), nil
}
