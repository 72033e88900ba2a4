package workergroup

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/web/dsapi"
)

// Refusals to delete, one for each kind of what is in the way: clients know them by different numbers.
var (
	errUsedByRun         = fault.New(fault.Conflict, "workergroup.error.used_by_run")
	errUsedByTask        = fault.New(fault.Conflict, "workergroup.error.used_by_task")
	errUsedBySchedule    = fault.New(fault.Conflict, "workergroup.error.used_by_schedule")
	errUsedByEnvironment = fault.New(fault.Conflict, "workergroup.error.used_by_environment")
	errWorkerUnknown     = fault.New(fault.Invalid, "workergroup.error.worker_unknown")
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

func (a api) routes(r chi.Router) {
	e := a.rest.Faults(dsapi.Faults{
		ErrNotFound.Key: 10174, ErrNameMissing.Key: 10134, ErrNameTaken.Key: 10135, ErrDescription.Key: 1400004,
		errWorkerUnknown.Key: 10177, errUsedByRun.Key: 10145, errUsedByTask.Key: 1401000, errUsedBySchedule.Key: 1401001,
		errUsedByEnvironment.Key: 1401002,
	})
	r.Post("/worker-groups", e.OK(10136, a.save))
	r.Get("/worker-groups", e.OK(10146, a.page))
	r.Get("/worker-groups/all", e.OK(10146, a.names))
	r.Delete("/worker-groups/{id}", e.OK(10147, a.remove))
	r.Get("/worker-groups/worker-address-list", e.OK(10178, a.workers))
}

// dsGroup is a group as clients know it.
type dsGroup struct {
	ID            *int64     `json:"id"`
	Name          string     `json:"name"`
	AddrList      string     `json:"addrList"`
	CreateTime    dsapi.Time `json:"createTime"`
	UpdateTime    dsapi.Time `json:"updateTime"`
	Description   string     `json:"description"`
	SystemDefault bool       `json:"systemDefault"`
	OtherParams   *string    `json:"otherParamsJson"`
}

func toDS(g Group) dsGroup {
	return dsGroup{
		ID: &g.ID, Name: g.Name, AddrList: g.Addresses, CreateTime: dsapi.Time(g.CreatedAt), UpdateTime: dsapi.Time(g.UpdatedAt), Description: g.Description,
	}
}

// save creates a group, or changes the one whose id is sent; an id of none creates, too.
func (a api) save(r *http.Request, p *dsapi.Params) (any, error) {
	ctx := r.Context()
	id := p.Int64("id", 0)
	d := Draft{Name: p.RequiredText("name"), Workers: split(p.RequiredText("addrList")), Description: p.Text("description")}
	if err := p.Err(); err != nil {
		return nil, err
	}
	for i, w := range d.Workers {
		at := slices.IndexFunc(a.svc.Live(), func(l Worker) bool { return l.Name == w || l.Address == w })
		if at < 0 {
			return nil, errWorkerUnknown.With("name", w)
		}
		d.Workers[i] = a.svc.Live()[at].Name
	}
	var (
		g   Group
		err error = ErrNotFound
	)
	if id > 0 {
		if g, err = a.update(r, id, d); err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
	}
	if err != nil {
		if g, err = a.svc.Create(ctx, d); err != nil {
			return nil, err
		}
	}
	return toDS(g), nil
}

func (a api) update(r *http.Request, id int64, d Draft) (Group, error) {
	g, err := a.svc.Update(r.Context(), id, d, time.Time{})
	if errors.Is(err, ErrRenamed) {
		err = a.why(r, id, err)
	}
	return g, err
}

// page adds the group that is always there, on the first page, unless it has a row.
func (a api) page(r *http.Request, p *dsapi.Params) (any, error) {
	ctx := r.Context()
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	search := p.Text("searchVal")
	spec := Spec()
	spec.Search = []string{"name"}
	page, err := a.svc.Page(ctx, listing.New(spec, no, size, search))
	if err != nil {
		return nil, err
	}
	out := dsapi.Listed(page, no, size, toDS)
	exists, err := a.svc.hasRow(ctx, Default)
	if err != nil {
		return nil, err
	}
	if !exists && strings.Contains(Default, strings.ToLower(strings.TrimSpace(search))) {
		out.Total++
		if no == 1 {
			var names []string
			for _, w := range a.svc.Live() {
				names = append(names, w.Name)
			}
			out.TotalList = append(out.TotalList, dsGroup{Name: Default, AddrList: strings.Join(names, ","), SystemDefault: true})
		}
	}
	return out, nil
}

func (a api) names(r *http.Request, _ *dsapi.Params) (any, error) { return a.svc.Names(r.Context()) }

func (a api) remove(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	err := a.svc.Delete(r.Context(), id)
	if errors.Is(err, ErrInUse) {
		err = a.why(r, id, err)
	}
	return nil, err
}

// why is the refusal for the first kind of use there is, in the order in which DolphinScheduler looks.
func (a api) why(r *http.Request, id int64, fallback error) error {
	_, uses, err := a.svc.Uses(r.Context(), id, 1000)
	if err != nil {
		return err
	}
	for _, k := range []struct {
		kind string
		err  *fault.Error
	}{{UseRun, errUsedByRun}, {UseTask, errUsedByTask}, {UseSchedule, errUsedBySchedule}, {UseEnvironment, errUsedByEnvironment}} {
		var names []string
		for _, u := range uses {
			if u.Kind == k.kind {
				names = append(names, u.Name)
			}
		}
		if len(names) > 0 {
			return k.err.With("count", len(names), "names", strings.Join(names[:min(len(names), 20)], ", "))
		}
	}
	return fallback
}

// workers lists the live workers by the names that groups list them under.
func (a api) workers(r *http.Request, _ *dsapi.Params) (any, error) {
	if err := a.svc.MayView(r.Context(), nil); err != nil {
		return nil, err
	}
	out := []string{}
	for _, w := range a.svc.Live() {
		out = append(out, w.Name)
	}
	return out, nil
}
