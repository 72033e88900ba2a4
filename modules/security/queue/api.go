package queue

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
)

type api struct {
	svc    *Service
	rest   *dsapi.API
	access *access.Service
}

func (a api) routes(r chi.Router) {
	e := a.rest.Faults(dsapi.Faults{
		ErrNotFound.Key: 10128, ErrValueTaken.Key: 10129, ErrNameTaken.Key: 10130, ErrInUse.Key: 10309,
	})
	r.Get("/queues/list", e.OK(10053, a.list))
	r.Get("/queues", e.OK(10053, a.page))
	r.Post("/queues", e.Created(10127, a.create))
	r.Put("/queues/{id}", e.Created(10131, a.update))
	r.Delete("/queues/{id}", e.OK(10307, a.remove))
	r.Post("/queues/verify", e.OK(10133, a.verify))

	r.Get("/v2/queues/list", e.OK(10053, a.list))
	r.Get("/v2/queues", e.OK(10053, a.page))
	r.Post("/v2/queues", e.Created(10127, a.createV2))
	r.Put("/v2/queues/{id}", e.Created(10131, a.updateV2))
	r.Post("/v2/queues/verify", e.OK(10133, a.verifyV2))
}

// dsQueue is a queue as clients know it.
type dsQueue struct {
	ID         int64      `json:"id"`
	QueueName  string     `json:"queueName"`
	Queue      string     `json:"queue"`
	CreateTime dsapi.Time `json:"createTime"`
	UpdateTime dsapi.Time `json:"updateTime"`
}

func toDS(q Queue) dsQueue {
	return dsQueue{ID: q.ID, QueueName: q.Name, Queue: q.Value, CreateTime: dsapi.Time(q.CreatedAt), UpdateTime: dsapi.Time(q.UpdatedAt)}
}

func (a api) list(r *http.Request, _ *dsapi.Params) (any, error) {
	all, err := a.svc.All(r.Context())
	if err != nil {
		return nil, err
	}
	out := make([]dsQueue, 0, len(all))
	for _, q := range all {
		if a.access.Can(r.Context(), Manage) || q.Name == Default { // others have no use for more, and DolphinScheduler shows no more
			out = append(out, toDS(q))
		}
	}
	return out, nil
}

func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	if !a.access.Can(r.Context(), Manage) {
		return dsapi.Page[dsQueue](nil, 0, no, size), nil
	}
	spec := Spec()
	spec.Search = []string{"name"}
	page, err := a.svc.Page(r.Context(), listing.New(spec, no, size, p.Text("searchVal")))
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toDS), nil
}

func form(p *dsapi.Params) (Draft, error) {
	d := Draft{Value: p.RequiredText("queue"), Name: p.RequiredText("queueName")}
	return d, p.Err()
}

// body is what version 2 sends as JSON.
func body(p *dsapi.Params) (Draft, error) {
	var b struct {
		Queue     string `json:"queue"`
		QueueName string `json:"queueName"`
	}
	err := p.JSON(&b)
	return Draft{Value: b.Queue, Name: b.QueueName}, err
}

func (a api) create(r *http.Request, p *dsapi.Params) (any, error)   { return a.add(r, p, form) }
func (a api) createV2(r *http.Request, p *dsapi.Params) (any, error) { return a.add(r, p, body) }
func (a api) update(r *http.Request, p *dsapi.Params) (any, error)   { return a.change(r, p, form) }
func (a api) updateV2(r *http.Request, p *dsapi.Params) (any, error) { return a.change(r, p, body) }
func (a api) verify(r *http.Request, p *dsapi.Params) (any, error)   { return a.check(r, p, form) }
func (a api) verifyV2(r *http.Request, p *dsapi.Params) (any, error) { return a.check(r, p, body) }

func (a api) add(r *http.Request, p *dsapi.Params, read func(*dsapi.Params) (Draft, error)) (any, error) {
	d, err := read(p)
	if err != nil {
		return nil, err
	}
	q, err := a.svc.Create(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return toDS(q), nil
}

func (a api) change(r *http.Request, p *dsapi.Params, read func(*dsapi.Params) (Draft, error)) (any, error) {
	id := p.Path("id")
	d, err := read(p)
	if err != nil {
		return nil, err
	}
	q, err := a.svc.Update(r.Context(), id, d, time.Time{})
	if err != nil {
		return nil, err
	}
	return toDS(q), nil
}

func (a api) check(r *http.Request, p *dsapi.Params, read func(*dsapi.Params) (Draft, error)) (any, error) {
	d, err := read(p)
	if err != nil {
		return nil, err
	}
	if err := a.svc.Check(r.Context(), d); err != nil {
		return nil, err
	}
	return true, nil
}

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := a.svc.Delete(r.Context(), id); err != nil {
		return nil, err
	}
	return true, nil
}
