package crud

import (
	"context"
	"errors"
	"strconv"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
)

// ErrChanged says that an object was changed between reading and saving it.
var ErrChanged = fault.New(fault.Conflict, "security.changed")

// Ref is what every list shows of an object.
type Ref struct {
	ID        int64
	Name      string
	UpdatedAt time.Time
	Project   int64 // code of the project it belongs to, 0 for none
}

// Object is a row of a noun.
type Object interface{ Ref() Ref }

// Draft is what a form may set of an object.
type Draft[D any] interface {
	// Clean returns the draft as it is kept: without surrounding white space.
	Clean() D
	// Validate returns a fault with a message for each field that breaks a rule.
	Validate() error
}

// Store is the SQL of a noun.
type Store[T, D any] interface {
	Page(ctx context.Context, q listing.Query) (listing.Page[T], error)
	// ByID returns the noun's own fault when there is no such row.
	ByID(ctx context.Context, id int64) (T, error)
	Insert(ctx context.Context, d D, now time.Time) (id int64, err error)
	// Update changes the row that was read at the moment seen; the zero time means whatever it is now. See Update.
	Update(ctx context.Context, id int64, d D, seen, now time.Time) error
	Delete(ctx context.Context, id int64) error
}

// Use is one object that refers to another.
type Use struct {
	Kind string // message key of what it is
	Name string
	URL  string // the page that shows it, empty when there is none
}

// Keeper holds the rules about objects of a noun.
type Keeper[T Object, D Draft[D]] struct {
	DB    *db.DB
	Audit *audit.Service
	Now   func() time.Time
	Noun  string // what it is called in the audit log
	// MayView and MayChange return a fault when whoever acts in ctx may not. The object is the one concerned, nil when
	// listing and creating.
	MayView   func(ctx context.Context, of *T) error
	MayChange func(ctx context.Context, of *T) error
	Store     Store[T, D]
	InUse     *fault.Error // gets the argument name
	// Check completes a draft and returns faults that need the database; was is nil when creating. It runs in the
	// transaction, after Validate, except that a draft without changes to was is completed first. nil does nothing.
	Check func(ctx context.Context, was *T, d D) (D, error)
	// Referring lists what refers to an object, at most limit of it; nil when nothing can.
	Referring func(ctx context.Context, of T, limit int) ([]Use, error)
	// Detail is what the audit log says of a change besides what the object was and is; was is nil when creating. nil says
	// nothing more.
	Detail func(was *T, d D) any
	// Changed is told, in the transaction, of every object that was created, changed or deleted; nil tells nobody.
	Changed func(ctx context.Context, t T) error
}

// configChannel is what masters listen on for changes of what they keep copies of: worker groups, environments, task
// groups, parameters of projects.
const configChannel = "dorado_config"

// TellMasters is Changed for nouns that masters keep copies of.
func TellMasters[T any](d *db.DB) func(context.Context, T) error {
	return func(ctx context.Context, _ T) error { return NotifyMasters(ctx, d) }
}

// NotifyMasters makes masters read again what they keep copies of, once the transaction of ctx is committed.
func NotifyMasters(ctx context.Context, d *db.DB) error { return d.Notify(ctx, configChannel, "") }

// Everywhere makes MayView or MayChange of a permission that holds for the whole installation.
func Everywhere[T any](a *access.Service, p access.Permission) func(context.Context, *T) error {
	return func(ctx context.Context, _ *T) error { return a.Require(ctx, p) }
}

// Page lists objects.
func (k *Keeper[T, D]) Page(ctx context.Context, q listing.Query) (listing.Page[T], error) {
	if err := k.MayView(ctx, nil); err != nil {
		return listing.Page[T]{}, err
	}
	return k.Store.Page(ctx, q)
}

// Get returns one object, or the noun's fault for one that is missing.
func (k *Keeper[T, D]) Get(ctx context.Context, id int64) (T, error) {
	var none T
	if _, err := access.Must(ctx); err != nil {
		return none, err
	}
	t, err := k.Store.ByID(ctx, id)
	if err != nil {
		return none, err
	}
	if err := k.MayView(ctx, &t); err != nil {
		return none, err
	}
	return t, nil
}

// Create adds an object. It returns field faults.
func (k *Keeper[T, D]) Create(ctx context.Context, d D) (T, error) {
	var t T
	d = d.Clean()
	if err := k.MayChange(ctx, nil); err != nil {
		return t, err
	}
	if err := d.Validate(); err != nil {
		return t, err
	}
	err := k.DB.InTx(ctx, func(ctx context.Context) (err error) {
		if d, err = k.check(ctx, nil, d); err != nil {
			return err
		}
		id, err := k.Store.Insert(ctx, d, db.Now(k.Now))
		if err != nil {
			return err
		}
		if t, err = k.Store.ByID(ctx, id); err != nil {
			return err
		}
		return k.record(ctx, "create", nil, &t, k.detail(nil, d))
	})
	return t, err
}

// Update changes the object that was read at the moment seen; the zero time means whatever it is now. It returns field
// faults, the noun's fault for a missing one, ErrChanged.
func (k *Keeper[T, D]) Update(ctx context.Context, id int64, d D, seen time.Time) (T, error) {
	var t T
	d = d.Clean()
	if _, err := access.Must(ctx); err != nil {
		return t, err
	}
	err := k.DB.InTx(ctx, func(ctx context.Context) (err error) {
		if t, err = k.changeable(ctx, id); err != nil {
			return err
		}
		was := t
		if d, err = k.check(ctx, &t, d); err != nil {
			return err
		}
		if err := d.Validate(); err != nil {
			return err
		}
		if err := k.Store.Update(ctx, id, d, seen, db.Now(k.Now)); err != nil {
			return err
		}
		if t, err = k.Store.ByID(ctx, id); err != nil {
			return err
		}
		return k.record(ctx, "update", &was, &t, k.detail(&was, d))
	})
	return t, err
}

// changeable reads an object that whoever acts may change. One he may not even see looks as if it were not there when
// MayView says so.
func (k *Keeper[T, D]) changeable(ctx context.Context, id int64) (T, error) {
	if err := k.MayChange(ctx, nil); err != nil {
		var none T
		return none, err
	}
	t, err := k.Store.ByID(ctx, id)
	if err != nil {
		return t, err
	}
	err = k.MayChange(ctx, &t)
	return t, err
}

func (k *Keeper[T, D]) check(ctx context.Context, was *T, d D) (D, error) {
	if k.Check == nil {
		return d, nil
	}
	return k.Check(ctx, was, d)
}

// Uses returns an object and what refers to it, at most limit of it.
func (k *Keeper[T, D]) Uses(ctx context.Context, id int64, limit int) (T, []Use, error) {
	t, err := k.Get(ctx, id)
	if err != nil || k.Referring == nil {
		return t, nil, err
	}
	uses, err := k.Referring(ctx, t, limit)
	return t, uses, err
}

// Delete removes an object that nothing refers to. It returns the noun's fault for a missing one, and InUse.
func (k *Keeper[T, D]) Delete(ctx context.Context, id int64) error {
	if _, err := access.Must(ctx); err != nil {
		return err
	}
	return k.DB.InTx(ctx, func(ctx context.Context) error {
		t, err := k.changeable(ctx, id)
		if err != nil {
			return err
		}
		if k.Referring != nil {
			uses, err := k.Referring(ctx, t, 1)
			if err != nil {
				return err
			}
			if len(uses) > 0 {
				return k.InUse.With("name", t.Ref().Name)
			}
		}
		if err := k.Store.Delete(ctx, id); err != nil {
			return err
		}
		return k.record(ctx, "delete", &t, nil, nil)
	})
}

func (k *Keeper[T, D]) detail(was *T, d D) any {
	if k.Detail == nil {
		return nil
	}
	return k.Detail(was, d)
}

// Record tells whoever must know that an object changed, and writes an audit entry about it; detail may be nil.
func (k *Keeper[T, D]) Record(ctx context.Context, verb string, t T, detail any) error {
	return k.record(ctx, verb, nil, &t, detail)
}

// record is Record with what an object was before and is now, as the log keeps it; nil = it was, or is, not there.
func (k *Keeper[T, D]) record(ctx context.Context, verb string, was, is *T, detail any) error {
	t := is
	if t == nil {
		t = was
	}
	if k.Changed != nil {
		if err := k.Changed(ctx, *t); err != nil {
			return err
		}
	}
	ref := (*t).Ref()
	e := audit.Entry{
		Action: k.Noun + "." + verb, ObjectType: k.Noun, ObjectID: strconv.FormatInt(ref.ID, 10), ObjectName: ref.Name,
		ProjectCode: ref.Project, Detail: detail,
	}
	if was != nil {
		e.Before = *was
	}
	if is != nil {
		e.After = *is
	}
	return k.Audit.Record(ctx, e)
}

// Gather asks each referrer in turn until limit uses are known.
func Gather[R any](referrers []R, limit int, ask func(r R, limit int) ([]Use, error)) ([]Use, error) {
	var all []Use
	for _, r := range referrers {
		uses, err := ask(r, limit-len(all))
		if err != nil {
			return nil, err
		}
		if all = append(all, uses...); len(all) >= limit {
			break
		}
	}
	return all, nil
}

// Select reads the page that answers q: columns and from are SQL, from with everything up to WHERE; more are conditions
// besides those of q, with their arguments.
func Select[T any](ctx context.Context, d *db.DB, q listing.Query, columns, from string, more ...Condition) (listing.Page[T], error) {
	where, args := q.Where(d.Dialect().Like, db.Contains)
	for _, c := range more {
		where, args = where+" AND "+c.SQL, append(args, c.Args...)
	}
	total, err := db.Get[int](ctx, d, "SELECT count(*) FROM "+from+" WHERE "+where, args...)
	if err != nil {
		return listing.Page[T]{}, err
	}
	q = q.Clamp(total)
	order, limit := q.OrderLimit()
	rows, err := db.Select[T](ctx, d, "SELECT "+columns+" FROM "+from+" WHERE "+where+" "+order, append(args, limit...)...)
	return listing.NewPage(q, rows, total), err
}

// Condition is part of a WHERE with its arguments.
type Condition struct {
	SQL  string
	Args []any
}

// Update changes the row of table that was read at the moment seen; the zero time means whatever it is now. set is SQL
// such as "name = ?, value = ?", args what stands for it. It returns ErrChanged when somebody was faster.
func Update(ctx context.Context, d *db.DB, table string, id int64, seen, now time.Time, set string, args ...any) error {
	query := "UPDATE " + table + " SET " + set + ", updated_at = ? WHERE id = ?"
	args = append(args, now, id)
	if !seen.IsZero() {
		query, args = query+" AND updated_at = ?", append(args, seen)
	}
	res, err := d.Exec(ctx, query, args...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return ErrChanged
	}
	return err
}

// Found is row and err, with missing in place of db.ErrNoRows.
func Found[T any](row T, err error, missing *fault.Error) (T, error) {
	if errors.Is(err, db.ErrNoRows) {
		return row, missing
	}
	return row, err
}

// Taken turns the violation of a unique constraint into a fault about a field; args are those of its message.
func Taken(err error, constraint string, taken *fault.Error, field string, args ...any) error {
	if name, _ := db.Conflict(err); name == constraint {
		return taken.With(args...).OnField(field, taken.Key, args...)
	}
	return err
}
