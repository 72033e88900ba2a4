package project

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
)

// noOperation is DolphinScheduler's newer number for a lacking permission.
const noOperation = 1400001

// grantRoutes mounts what gives and takes the grants of projects. Clients know two levels: all, and reading.
func (a api) grantRoutes(r chi.Router) {
	e := a.rest.Faults(dsapi.Faults{
		ErrNotFound.Key: dsapi.ProjectMissing, ErrNoAccess.Key: dsapi.NoPermission, ErrNoGrant.Key: dsapi.NoPermission, ErrUserUnknown.Key: 10010,
	})
	byIDs := a.rest.Faults(dsapi.Faults{ // these two say in another number that something is not permitted
		ErrNotFound.Key: dsapi.ProjectMissing, ErrNoAccess.Key: noOperation, ErrNoGrant.Key: noOperation, ErrUserUnknown.Key: 10010,
	})
	r.Post("/users/grant-project", byIDs.OK(10094, a.grantIDs(access.All)))
	r.Post("/users/grant-project-with-read-perm", byIDs.OK(10094, a.grantIDs(access.Read)))
	r.Post("/users/grant-project-by-code", e.OK(10094, a.grantCode))
	r.Post("/users/revoke-project-by-id", e.OK(10182, a.revokeIDs))
	r.Post("/users/revoke-project", e.OK(10182, a.revokeCode))
}

// named are the projects with the given ids, of those that the caller sees; the others do not exist for him.
func (a api) named(r *http.Request, p *dsapi.Params) (user string, userID int64, codes []int64, err error) {
	userID, ids := p.RequiredInt64("userId"), p.Int64s("projectIds")
	p.RequiredText("projectIds")
	if err := p.Err(); err != nil {
		return "", 0, nil, err
	}
	if user, err = a.svc.personNamed(r.Context(), userID); err != nil {
		return "", 0, nil, err
	}
	rows, err := a.svc.All(r.Context())
	if err != nil {
		return "", 0, nil, err
	}
	known := map[int64]int64{}
	for _, row := range rows {
		known[row.ID] = row.Code
	}
	for _, id := range ids {
		code, ok := known[id]
		if !ok {
			return "", 0, nil, ErrNotFound.With("code", id)
		}
		codes = append(codes, code)
	}
	return user, userID, codes, nil
}

func (a api) grantIDs(role access.Role) dsapi.Func {
	return func(r *http.Request, p *dsapi.Params) (any, error) {
		user, _, codes, err := a.named(r, p)
		if err != nil {
			return nil, err
		}
		return nil, a.svc.together(r.Context(), codes, func(ctx context.Context, code int64) error {
			return a.svc.SetMember(ctx, code, user, string(role))
		})
	}
}

func (a api) grantCode(r *http.Request, p *dsapi.Params) (any, error) {
	userID, code := p.RequiredInt64("userId"), p.RequiredInt64("projectCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	user, err := a.svc.personNamed(r.Context(), userID)
	if err != nil {
		return nil, err
	}
	return nil, a.svc.SetMember(r.Context(), code, user, string(access.All))
}

func (a api) revokeIDs(r *http.Request, p *dsapi.Params) (any, error) {
	_, user, codes, err := a.named(r, p)
	if err != nil {
		return nil, err
	}
	return nil, a.svc.together(r.Context(), codes, func(ctx context.Context, code int64) error {
		return a.svc.RemoveMember(ctx, code, user)
	})
}

func (a api) revokeCode(r *http.Request, p *dsapi.Params) (any, error) {
	userID, code := p.RequiredInt64("userId"), p.RequiredInt64("projectCode")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if _, err := a.svc.personNamed(r.Context(), userID); err != nil {
		return nil, err
	}
	return nil, a.svc.RemoveMember(r.Context(), code, userID)
}
