package udf

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/security/crud"
)

// Function is a function of Hive or Spark.
type Function struct {
	ID          int64     `db:"id"`
	UserID      int64     `db:"user_id"`
	UserName    string    `db:"user_name"` // of the owner, empty when he is gone
	Name        string    `db:"name"`
	ClassName   string    `db:"class_name"`
	Type        string    `db:"type"` // HIVE or SPARK
	ArgTypes    string    `db:"arg_types"`
	Database    string    `db:"db"`
	Description string    `db:"description"`
	Resource    string    `db:"resource"` // full name of the file
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`
}

// Ref is what every list shows of a function.
func (f Function) Ref() crud.Ref { return crud.Ref{ID: f.ID, Name: f.Name, UpdatedAt: f.UpdatedAt} }

// Draft is what a client may set.
type Draft struct {
	Name, ClassName, Type, ArgTypes, Database, Description, Resource string
}

const maxText = 255 // characters of each

// Types are the kinds of functions.
func Types() []string { return []string{"HIVE", "SPARK"} }

// Clean returns the draft without surrounding white space.
func (d Draft) Clean() Draft {
	for _, s := range []*string{&d.Name, &d.ClassName, &d.Type, &d.ArgTypes, &d.Database, &d.Description, &d.Resource} {
		*s = strings.TrimSpace(*s)
	}
	return d
}

// Validate returns a fault with a message for each field that breaks a rule.
func (d Draft) Validate() error {
	var c fault.Collector
	for name, s := range map[string]string{"funcName": d.Name, "className": d.ClassName, "fullName": d.Resource} {
		if s == "" {
			c.Add(name, "security.required")
		}
	}
	for name, s := range map[string]string{
		"funcName": d.Name, "className": d.ClassName, "argTypes": d.ArgTypes, "database": d.Database, "description": d.Description,
	} {
		if utf8.RuneCountInString(s) > maxText {
			c.Add(name, "security.too_long", "max", maxText)
		}
	}
	if !slices.Contains(Types(), d.Type) {
		c.Add("type", "udf.error.type")
	}
	return c.Err()
}

// Faults of this package.
var (
	ErrNotFound  = fault.New(fault.NotFound, "udf.error.not_found")
	ErrNameTaken = fault.New(fault.Conflict, "udf.error.name_taken")
	ErrInUse     = fault.New(fault.Conflict, "udf.error.in_use")
)

// Permissions of this package. Everybody signed in may keep functions of his own.
const (
	View   access.Permission = "udf.view"
	Manage access.Permission = "udf.manage"
)

// Rules says who has the permissions of this package.
func Rules() []access.Rule {
	return []access.Rule{access.Allow(View, access.User), access.Allow(Manage, access.User)}
}

// Spec is what a list of functions can be asked for.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"name": "f.name", "updated": "f.updated_at"}, Search: []string{"f.name"}, Default: "-updated", ID: "f.id",
	}
}

// Service holds the rules about functions. Page, Get, Create, Update and Delete are those of crud.Keeper.
type Service struct {
	crud.Keeper[Function, Draft]
	store  store
	access *access.Service
}

func newService(d *db.DB, a *access.Service, log *audit.Service, now func() time.Time) *Service {
	s := &Service{store: store{d, a}, access: a}
	s.Keeper = crud.Keeper[Function, Draft]{
		DB: d, Audit: log, Now: now, Noun: "udf", Store: s.store, InUse: ErrInUse,
		MayView: s.may(View, access.PermRead), MayChange: s.may(Manage, access.PermAll),
	}
	return s
}

func (s *Service) may(p access.Permission, perm int) func(context.Context, *Function) error {
	return func(ctx context.Context, of *Function) error {
		if err := s.access.Require(ctx, p); err != nil || of == nil {
			return err
		}
		who, err := access.Must(ctx)
		if err != nil {
			return err
		}
		if of.UserID == who.UserID && who.UserID != 0 || s.access.MayUse(ctx, access.UDF, strconv.FormatInt(of.ID, 10), perm) {
			return nil
		}
		return access.ErrDenied.With("permission", string(p))
	}
}

// All lists the functions that whoever acts may use by name, of one type or of all when kind is empty.
func (s *Service) All(ctx context.Context, kind string) ([]Function, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx, kind)
}

// CheckName returns ErrNameTaken when there is a function with this name.
func (s *Service) CheckName(ctx context.Context, name string) error {
	if err := s.access.Require(ctx, View); err != nil {
		return err
	}
	_, err := db.Get[int64](ctx, s.store.db, "SELECT id FROM udf_func WHERE name = ?", strings.TrimSpace(name))
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	if err == nil {
		return ErrNameTaken.With("name", name)
	}
	return err
}

type store struct {
	db     *db.DB
	access *access.Service
}

const (
	columns = `f.id, f.user_id, COALESCE(u.name, '') AS user_name, f.name, f.class_name, f.type, f.arg_types, f.db, f.description, f.resource,
		f.created_at, f.updated_at`
	tables = "udf_func f LEFT JOIN users u ON u.id = f.user_id"
)

// seen is the condition for what whoever acts may use.
func (s store) seen(ctx context.Context) crud.Condition {
	keys, all := s.access.ObjectsOf(ctx, access.UDF)
	if all {
		return crud.Condition{SQL: "1 = 1"}
	}
	who, _ := access.From(ctx)
	c := crud.Condition{SQL: "(f.user_id = ?", Args: []any{who.UserID}}
	for key := range keys {
		if id, err := strconv.ParseInt(key, 10, 64); err == nil {
			c.SQL, c.Args = c.SQL+" OR f.id = ?", append(c.Args, id)
		}
	}
	c.SQL += ")"
	return c
}

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Function], error) {
	return crud.Select[Function](ctx, s.db, q, columns, tables, s.seen(ctx))
}

func (s store) all(ctx context.Context, kind string) ([]Function, error) {
	c := s.seen(ctx)
	query, args := "SELECT "+columns+" FROM "+tables+" WHERE "+c.SQL, c.Args
	if kind != "" {
		query, args = query+" AND f.type = ?", append(args, kind)
	}
	return db.Select[Function](ctx, s.db, query+" ORDER BY f.name", args...)
}

func (s store) ByID(ctx context.Context, id int64) (Function, error) {
	f, err := db.Get[Function](ctx, s.db, "SELECT "+columns+" FROM "+tables+" WHERE f.id = ?", id)
	return crud.Found(f, err, ErrNotFound)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO udf_func (user_id, name, class_name, type, arg_types, db, description, resource, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`, who.UserID, d.Name, d.ClassName, d.Type, d.ArgTypes, d.Database, d.Description, d.Resource, now, now)
	return id, taken(err, d)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	return taken(crud.Update(ctx, s.db, "udf_func", id, seen, now, "name = ?, class_name = ?, type = ?, arg_types = ?, db = ?, description = ?, resource = ?",
		d.Name, d.ClassName, d.Type, d.ArgTypes, d.Database, d.Description, d.Resource), d)
}

func (s store) Delete(ctx context.Context, id int64) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM udf_func WHERE id = ?", id); err != nil {
		return err
	}
	return s.access.RevokeObject(ctx, access.UDF, strconv.FormatInt(id, 10))
}

func taken(err error, d Draft) error {
	return crud.Taken(err, "uq_udf_func_name", ErrNameTaken, "funcName", "name", d.Name)
}
