package gateway

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"dorado/app/kit/fault"
	"dorado/app/kit/ids"
	"dorado/app/kit/secret"
	"dorado/modules/gateway/py4j"
	"dorado/modules/identity"
	"dorado/modules/security/tenant"
)

// passwords remembers which password a script gave a user last, as a hash under a key of this process: an SDK sends it with
// every submission, and setting one ends the sessions of the user.
type passwords struct {
	mu   sync.Mutex
	key  [sha256.Size]byte
	last map[int64][sha256.Size]byte
}

func (p *passwords) init() {
	_, _ = rand.Read(p.key[:]) // never fails: crypto/rand stops the program instead
	p.last = map[int64][sha256.Size]byte{}
}

func (p *passwords) sum(password secret.String) (out [sha256.Size]byte) {
	h := hmac.New(sha256.New, p.key[:])
	h.Write([]byte(password.Reveal()))
	h.Sum(out[:0])
	return out
}

func (p *passwords) isLast(user int64, password secret.String) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.last[user]
	sum := p.sum(password)
	return ok && hmac.Equal(last[:], sum[:])
}

func (p *passwords) note(user int64, password secret.String) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[user] = p.sum(password)
}

var (
	chinesePhone = regexp.MustCompile(`^1[3-9][0-9]{9}$`)
	worldPhone   = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

// phone is a number as users have it. SDKs send one by default that nobody can have (11111111111): it is left out.
func phone(text string) string {
	switch text = strings.TrimSpace(text); {
	case chinesePhone.MatchString(text):
		return "+86" + text
	case worldPhone.MatchString(text):
		return text
	}
	return ""
}

// asked is the user that a call describes.
type asked struct {
	name     string
	password secret.String
	email    string
	phone    string
	tenant   tenant.Tenant
	queue    string
	enabled  bool
}

func (e *entry) asked(ctx context.Context, a args) (asked, error) {
	q := asked{
		name: strings.TrimSpace(a.text(0)), password: secret.String(a.text(1)), email: strings.TrimSpace(a.text(2)), phone: phone(a.text(3)),
		queue: strings.TrimSpace(a.text(5)), enabled: a.number(6) != 0,
	}
	t, found, err := e.tenantByCode(ctx, a.text(4))
	if err == nil && !found {
		err = illegal("Tenant " + a.text(4) + " does not exist")
	}
	q.tenant = t
	return q, err
}

// createUser makes the user that a script works for, or brings an existing one up to date; its tenant stays.
func (e *entry) createUser(ctx context.Context, a args) (py4j.Value, error) {
	q, err := e.asked(ctx, a)
	if err != nil {
		return py4j.Value{}, err
	}
	u, err := e.Identity.Find(program(ctx), q.name)
	if errors.Is(err, identity.ErrNotFound) {
		if u, err = e.newUser(ctx, q); !errors.Is(err, identity.ErrNameTaken) {
			return e.userAnswer(ctx, u, err)
		}
		u, err = e.Identity.Find(program(ctx), q.name) // another thread of the script was faster
	}
	if err == nil {
		u, err = e.renew(ctx, u, q, false)
	}
	return e.userAnswer(ctx, u, err)
}

func (e *entry) userAnswer(ctx context.Context, u identity.User, err error) (py4j.Value, error) {
	if err != nil {
		return py4j.Value{}, err
	}
	t, err := e.tenantOf(ctx, u)
	if err != nil {
		return py4j.Value{}, err
	}
	return userBean(u, t), nil
}

// newUser makes a user. With a password that no user may have, which the default of the SDK is, nobody can sign in as the
// user until an administrator sets one; scripts do not need it.
func (e *entry) newUser(ctx context.Context, q asked) (identity.User, error) {
	d := identity.Draft{
		Name: q.name, Password: q.password, Email: q.email, Phone: q.phone, TenantID: max(q.tenant.ID, 0), Queue: q.queue, Enabled: q.enabled,
	}
	u, err := e.Identity.Create(program(ctx), d)
	if refused(err, "password") {
		d.Password = secret.String("Aa1-" + ids.Token())
		if u, err = e.Identity.Create(program(ctx), d); err == nil {
			e.Logger.InfoContext(ctx, "python gateway: the password of a new user breaks the rules, so nobody can sign in with it", "user", u.Name)
		}
	} else if err == nil {
		e.passwords.note(u.ID, q.password)
	}
	return u, err
}

// refused reports whether a field is what was wrong.
func refused(err error, field string) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && slices.ContainsFunc(f.Fields, func(x fault.Field) bool { return x.Name == field })
}

// renew gives a user what a call says of it. An administrator stays as he is, and nobody who was disabled is enabled: the
// token of the gateway is no administrator's.
func (e *entry) renew(ctx context.Context, u identity.User, q asked, withTenant bool) (identity.User, error) {
	if u.Admin() {
		return u, nil
	}
	d := draftOf(u)
	d.Email, d.Queue, d.Enabled = q.email, q.queue, u.Enabled && q.enabled
	if q.phone != "" {
		d.Phone = q.phone
	}
	if withTenant {
		d.TenantID = max(q.tenant.ID, 0)
	}
	if q.password != "" && !e.passwords.isLast(u.ID, q.password) {
		d.Password = q.password
	}
	if d == draftOf(u) {
		return u, nil
	}
	next, err := e.Identity.Update(program(ctx), u.ID, d)
	if refused(err, "password") { // breaks the rules, or was used before: what there is stays
		e.passwords.note(u.ID, q.password)
		if d.Password = ""; d == draftOf(u) {
			return u, nil
		}
		return e.Identity.Update(program(ctx), u.ID, d)
	}
	if err == nil && d.Password != "" {
		e.passwords.note(u.ID, q.password)
	}
	return next, err
}

func (e *entry) updateUser(ctx context.Context, a args) (py4j.Value, error) {
	q, err := e.asked(ctx, a)
	if err != nil {
		return py4j.Value{}, err
	}
	u, err := e.Identity.Find(program(ctx), q.name)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		err = illegal("User " + q.name + " does not exist")
	case err == nil && u.Admin():
		err = py4j.NewException(serviceException, "User "+q.name+" is an administrator, whom the gateway does not change")
	case err == nil:
		u, err = e.renew(ctx, u, q, true)
	}
	return e.userAnswer(ctx, u, err)
}

func (e *entry) queryUser(ctx context.Context, a args) (py4j.Value, error) {
	u, err := e.Identity.Get(program(ctx), a.number(0))
	if errors.Is(err, identity.ErrNotFound) {
		err = illegal("User not found")
	}
	return e.userAnswer(ctx, u, err)
}

// deleteUser returns the user as it was.
func (e *entry) deleteUser(ctx context.Context, a args) (py4j.Value, error) {
	ctx, _, err := e.as(ctx, a.text(0))
	if err != nil {
		return py4j.Value{}, err
	}
	u, err := e.Identity.Get(ctx, a.number(1))
	if err != nil {
		return py4j.Value{}, err
	}
	answer, err := e.userAnswer(ctx, u, nil)
	if err != nil {
		return answer, err
	}
	return answer, e.Identity.Delete(ctx, u.ID)
}
