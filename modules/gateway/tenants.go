package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"dorado/modules/gateway/py4j"
	"dorado/modules/identity"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
)

// defaultTenant stands for the tenant without a row: the worker's own account.
func defaultTenant() tenant.Tenant {
	return tenant.Tenant{ID: noRow, Code: tenant.Default, QueueID: 1, QueueName: queue.Default}
}

// tenantByCode finds a tenant.
func (e *entry) tenantByCode(ctx context.Context, code string) (tenant.Tenant, bool, error) {
	if code = strings.TrimSpace(code); strings.EqualFold(code, tenant.Default) {
		return defaultTenant(), true, nil
	}
	return e.tenantWhere(ctx, func(t tenant.Tenant) bool { return t.Code == code })
}

func (e *entry) tenantWhere(ctx context.Context, is func(tenant.Tenant) bool) (tenant.Tenant, bool, error) {
	all, err := e.Tenants.All(program(ctx))
	if err != nil {
		return tenant.Tenant{}, false, err
	}
	if at := slices.IndexFunc(all, is); at >= 0 {
		return all[at], true, nil
	}
	return tenant.Tenant{}, false, nil
}

// tenantOf is the tenant of a user.
func (e *entry) tenantOf(ctx context.Context, u identity.User) (tenant.Tenant, error) {
	if u.TenantID <= 0 {
		return defaultTenant(), nil
	}
	t, found, err := e.tenantWhere(ctx, func(t tenant.Tenant) bool { return t.ID == u.TenantID })
	if err == nil && !found {
		err = tenant.ErrNotFound
	}
	return t, err
}

// createTenant returns the tenant, which exists afterwards. Two scripts may ask at once.
func (e *entry) createTenant(ctx context.Context, a args) (py4j.Value, error) {
	code, description, queueName := strings.TrimSpace(a.text(0)), a.text(1), a.text(2)
	t, found, err := e.tenantByCode(ctx, code)
	if err != nil || found {
		return tenantBean(t), err
	}
	q, err := e.queueNamed(ctx, queueName)
	if err != nil {
		return py4j.Value{}, err
	}
	t, err = e.Tenants.Create(program(ctx), tenant.Draft{Code: code, QueueID: q, Description: description})
	if errors.Is(err, tenant.ErrCodeTaken) {
		if t, found, err = e.tenantByCode(ctx, code); err == nil && !found {
			err = tenant.ErrCodeTaken.With("code", code)
		}
	}
	if err != nil {
		return py4j.Value{}, err
	}
	return tenantBean(t), nil
}

// queueNamed is the id of a queue, which exists afterwards.
func (e *entry) queueNamed(ctx context.Context, name string) (int64, error) {
	if name = strings.TrimSpace(name); name == "" {
		name = queue.Default
	}
	find := func() (int64, bool, error) {
		all, err := e.Queues.All(program(ctx))
		if err != nil {
			return 0, false, err
		}
		at := slices.IndexFunc(all, func(q queue.Queue) bool { return q.Name == name })
		if at < 0 {
			at = slices.IndexFunc(all, func(q queue.Queue) bool { return q.Value == name })
		}
		if at < 0 {
			return 0, false, nil
		}
		return all[at].ID, true, nil
	}
	id, found, err := find()
	if err != nil || found {
		return id, err
	}
	q, err := e.Queues.Create(program(ctx), queue.Draft{Name: name, Value: name})
	if errors.Is(err, queue.ErrNameTaken) || errors.Is(err, queue.ErrValueTaken) {
		if id, found, again := find(); again == nil && found {
			return id, nil
		}
	}
	return q.ID, err
}

func (e *entry) queryTenantByCode(ctx context.Context, a args) (py4j.Value, error) {
	t, found, err := e.tenantByCode(ctx, a.text(0))
	if err != nil || !found {
		return py4j.OfNull(), err
	}
	return tenantBean(t), nil
}

func (e *entry) updateTenant(ctx context.Context, a args) (py4j.Value, error) {
	ctx, _, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	_, err = e.Tenants.Update(ctx, a.number(1), tenant.Draft{Code: a.text(2), QueueID: a.number(3), Description: a.text(4)}, time.Time{})
	return py4j.OfVoid(), err
}

func (e *entry) deleteTenant(ctx context.Context, a args) (py4j.Value, error) {
	ctx, _, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	return py4j.OfVoid(), e.Tenants.Delete(ctx, a.number(1))
}

// grantTenantToUser sets the tenant of a user.
func (e *entry) grantTenantToUser(ctx context.Context, a args) (py4j.Value, error) {
	_, u, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	t, found, err := e.tenantByCode(ctx, a.text(1))
	if err != nil {
		return py4j.Value{}, err
	}
	if !found {
		return py4j.Value{}, illegal("Tenant " + a.text(1) + " does not exist")
	}
	d := draftOf(u)
	d.TenantID = max(t.ID, 0)
	if d.TenantID != max(u.TenantID, 0) {
		if _, err := e.Identity.Update(instead(ctx, u), u.ID, d); err != nil {
			return py4j.Value{}, err
		}
	}
	return tenantBean(t), nil
}

// draftOf changes nothing of a user.
func draftOf(u identity.User) identity.Draft {
	return identity.Draft{
		Name: u.Name, Admin: u.Admin(), Email: u.Email, Phone: u.Phone, TenantID: u.TenantID, Queue: u.Queue, Enabled: u.Enabled,
	}
}
