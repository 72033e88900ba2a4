package resource

import (
	"errors"
	"net/http"
	"strconv"

	"dorado/app/kit/web"
	"dorado/plugins/storage"
)

// how is what the script of the page says about a name that is taken.
func how(text string) When {
	if text == "replace" {
		return Put
	}
	return Create
}

func uploadAnswer(u Upload) web.Response {
	return web.JSON(http.StatusOK, map[string]any{"id": u.ID, "received": u.Received, "part": maxPart / 4})
}

// beginUpload tells the script of the page where the upload of a large file goes on.
func (p *pages) beginUpload(r *http.Request) (web.Response, error) {
	ctx, q := r.Context(), r.URL.Query()
	ref, err := p.ref(r)
	if err != nil {
		return nil, err
	}
	size, sizeErr := strconv.ParseInt(q.Get("size"), 10, 64)
	modified, _ := strconv.ParseInt(q.Get("modified"), 10, 64)
	if sizeErr != nil {
		size = -1
	}
	when := how(q.Get("when"))
	if q.Get("when") == "both" { // the name is chosen at the end
		when = Put
	}
	u, err := p.svc.BeginUpload(ctx, ref, size, modified, when)
	if err != nil {
		return p.refused(ctx, err)
	}
	return uploadAnswer(u), nil
}

// addPart takes the next part as the body of the request. Whoever is at another place is told where to go on.
func (p *pages) addPart(r *http.Request) (web.Response, error) {
	ctx, q := r.Context(), r.URL.Query()
	offset, err := strconv.ParseInt(q.Get("offset"), 10, 64)
	if err != nil {
		offset = -1
	}
	size := storage.Unknown
	if r.ContentLength > 0 {
		size = r.ContentLength
	}
	u, err := p.svc.AddPart(ctx, q.Get("id"), offset, web.WholeBody(r), size)
	if errors.Is(err, ErrUploadStep) {
		return uploadAnswer(u), nil
	}
	if err != nil {
		return p.refused(ctx, err)
	}
	return uploadAnswer(u), nil
}

func (p *pages) finishUpload(r *http.Request) (web.Response, error) {
	ctx, q := r.Context(), r.URL.Query()
	ref, err := p.ref(r)
	if err != nil {
		return nil, err
	}
	if q.Get("when") == "both" { // under another name when it is taken
		if ref, err = p.free(ctx, ref); err != nil {
			return nil, err
		}
	}
	f, err := p.svc.FinishUpload(ctx, q.Get("id"), ref, how(q.Get("when")))
	if err != nil {
		return p.refused(ctx, err)
	}
	return web.JSON(http.StatusOK, map[string]any{"name": f.Name, "revision": f.Revision, "sha256": f.SHA256}), nil
}
