package access

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"dorado/app/kit/db"
)

// Kind is a kind of objects that users are granted one by one. Projects are not among them: in a project one has a role.
type Kind string

// The kinds, and what their keys are.
const (
	DataSource  Kind = "DATASOURCE"   // id of the data source
	Namespace   Kind = "NAMESPACE"    // id of the namespace
	Resource    Kind = "RESOURCE"     // full path
	UDF         Kind = "UDF"          // id of the function
	WorkerGroup Kind = "WORKER_GROUP" // name; a group nobody is granted is free for all
)

// Kinds are all kinds, in the order lists show them.
func Kinds() []Kind { return []Kind{DataSource, Namespace, Resource, UDF, WorkerGroup} }

// How much a grant on an object allows; the numbers are those of the wire.
const (
	PermRead = 2 // use it and look at it
	PermAll  = 7 // change it, too
)

// ObjectGrant says that a user may use an object.
type ObjectGrant struct {
	UserID    int64     `db:"user_id"`
	Kind      Kind      `db:"kind"`
	Key       string    `db:"object_key"`
	Perm      int       `db:"perm"`
	CreatedAt time.Time `db:"created_at"`
}

const objectColumns = "SELECT user_id, kind, object_key, perm, created_at FROM object_grant"

// objects are the grants on objects of one moment.
type objects struct {
	of    map[int64]map[Kind]map[string]int // user → kind → key → perm
	taken map[Kind]map[string]bool          // keys that somebody is granted
}

func newObjects(grants []ObjectGrant) objects {
	o := objects{of: map[int64]map[Kind]map[string]int{}, taken: map[Kind]map[string]bool{}}
	for _, g := range grants {
		if o.of[g.UserID] == nil {
			o.of[g.UserID] = map[Kind]map[string]int{}
		}
		if o.of[g.UserID][g.Kind] == nil {
			o.of[g.UserID][g.Kind] = map[string]int{}
		}
		o.of[g.UserID][g.Kind][g.Key] = g.Perm
		if o.taken[g.Kind] == nil {
			o.taken[g.Kind] = map[string]bool{}
		}
		o.taken[g.Kind][g.Key] = true
	}
	return o
}

// ObjectsOf returns the objects of a kind that the principal of ctx is granted, with how much, or all = true for an
// administrator. Objects he owns are not among them: their module knows those. The map is the caller's. It never waits for
// the database.
func (s *Service) ObjectsOf(ctx context.Context, kind Kind) (keys map[string]int, all bool) {
	p, ok := From(ctx)
	if !ok {
		return nil, false
	}
	if s.everywhere(p) {
		return nil, true
	}
	return maps.Clone(s.current.Load().objects.of[p.UserID][kind]), false
}

// MayUse reports whether the principal of ctx is granted an object with at least this much, or is an administrator.
func (s *Service) MayUse(ctx context.Context, kind Kind, key string, perm int) bool {
	p, ok := From(ctx)
	if !ok {
		return false
	}
	return s.everywhere(p) || s.current.Load().objects.of[p.UserID][kind][key] >= perm
}

// UserMayUse is MayUse for somebody who does not act himself, such as whose name a schedule fires in.
func (s *Service) UserMayUse(userID int64, kind Kind, key string, perm int) bool {
	now := s.current.Load()
	return now.admins[userID] || now.objects.of[userID][kind][key] >= perm
}

// Restricted reports whether anybody is granted the object. Kinds that are free for all until somebody is granted one, as
// worker groups are, ask for it.
func (s *Service) Restricted(kind Kind, key string) bool {
	return s.current.Load().objects.taken[kind][key]
}

// MayUseWorkerGroup reports whether the principal of ctx may send tasks to a worker group: when nobody is granted it,
// everybody; else those who are. What a project may use is another question.
func (s *Service) MayUseWorkerGroup(ctx context.Context, name string) bool {
	return !s.Restricted(WorkerGroup, name) || s.MayUse(ctx, WorkerGroup, name, PermRead)
}

// RenameObject lets the grants on an object follow it to another key, in the transaction of ctx.
func (s *Service) RenameObject(ctx context.Context, kind Kind, from, to string) error {
	return s.remove(ctx, "UPDATE object_grant SET object_key = ? WHERE kind = ? AND object_key = ?", to, string(kind), from)
}

// GranteesOf lists who is granted an object, in the order of their ids. Checking that the caller may know is the caller's
// task, for this and the following methods.
func (s *Service) GranteesOf(ctx context.Context, kind Kind, key string) ([]ObjectGrant, error) {
	return db.Select[ObjectGrant](ctx, s.DB, objectColumns+" WHERE kind = ? AND object_key = ? ORDER BY user_id", string(kind), key)
}

// ObjectsGranted lists what a user is granted of a kind, in the order of the keys.
func (s *Service) ObjectsGranted(ctx context.Context, userID int64, kind Kind) ([]ObjectGrant, error) {
	return db.Select[ObjectGrant](ctx, s.DB, objectColumns+" WHERE user_id = ? AND kind = ? ORDER BY object_key", userID, string(kind))
}

// GrantObjects gives a user these objects of a kind and takes all others of the kind away, in the transaction of ctx. It
// does not look whether the objects exist.
func (s *Service) GrantObjects(ctx context.Context, userID int64, kind Kind, keys []string, perm int) error {
	if err := grantableObject(kind, perm); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.DB.Exec(ctx, "DELETE FROM object_grant WHERE user_id = ? AND kind = ?", userID, string(kind)); err != nil {
			return fmt.Errorf("grant objects: %w", err)
		}
		for _, key := range slices.Compact(slices.Sorted(slices.Values(keys))) {
			if err := s.grantObject(ctx, userID, kind, key, perm); err != nil {
				return err
			}
		}
		return s.changed(ctx)
	})
}

// GrantObject gives a user one object besides those he has, or changes how much of it.
func (s *Service) GrantObject(ctx context.Context, userID int64, kind Kind, key string, perm int) error {
	if err := grantableObject(kind, perm); err != nil {
		return err
	}
	if err := s.grantObject(ctx, userID, kind, key, perm); err != nil {
		return err
	}
	return s.changed(ctx)
}

func (s *Service) grantObject(ctx context.Context, userID int64, kind Kind, key string, perm int) error {
	_, err := s.DB.Exec(ctx, `INSERT INTO object_grant (user_id, kind, object_key, perm, created_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (user_id, kind, object_key) DO UPDATE SET perm = excluded.perm`, userID, string(kind), key, perm, db.Now(s.Now))
	if err != nil {
		return fmt.Errorf("grant %s %s: %w", kind, key, err)
	}
	return nil
}

// RevokeObject takes an object from all who are granted it, when the object goes.
func (s *Service) RevokeObject(ctx context.Context, kind Kind, key string) error {
	return s.remove(ctx, "DELETE FROM object_grant WHERE kind = ? AND object_key = ?", string(kind), key)
}

// RevokeObjectOf takes an object from one user.
func (s *Service) RevokeObjectOf(ctx context.Context, userID int64, kind Kind, key string) error {
	return s.remove(ctx, "DELETE FROM object_grant WHERE user_id = ? AND kind = ? AND object_key = ?", userID, string(kind), key)
}

func grantableObject(kind Kind, perm int) error {
	if !slices.Contains(Kinds(), kind) {
		return fmt.Errorf("access: nothing of the kind %q can be granted", kind)
	}
	if perm != PermRead && perm != PermAll {
		return fmt.Errorf("access: a grant of %d means nothing", perm)
	}
	return nil
}
