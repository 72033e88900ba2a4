package alertgroup

import (
	"context"
	"slices"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

type store struct{ db *db.DB }

const columns = "id, name, description, user_id, created_at, updated_at"

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Group], error) {
	page, err := crud.Select[Group](ctx, s.db, q, columns, "alert_group")
	if err != nil {
		return page, err
	}
	page.Items, err = s.filled(ctx, page.Items)
	return page, err
}

// filled adds the instances of groups.
func (s store) filled(ctx context.Context, groups []Group) ([]Group, error) {
	if len(groups) == 0 {
		return groups, nil
	}
	ids := make([]int64, len(groups))
	for i, g := range groups {
		ids[i] = g.ID
	}
	query, args, err := db.In("SELECT alert_group_id, instance_id FROM alert_group_instance WHERE alert_group_id IN (?) ORDER BY alert_group_id, position, instance_id", ids)
	if err != nil {
		return nil, err
	}
	links, err := db.Select[struct {
		Group    int64 `db:"alert_group_id"`
		Instance int64 `db:"instance_id"`
	}](ctx, s.db, query, args...)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		i := slices.Index(ids, l.Group)
		groups[i].Instances = append(groups[i].Instances, l.Instance)
	}
	return groups, nil
}

// link makes exactly these the instances of a group.
func (s store) link(ctx context.Context, id int64, instances []int64) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM alert_group_instance WHERE alert_group_id = ?", id); err != nil {
		return err
	}
	for i, instance := range instances {
		_, err := s.db.Exec(ctx, "INSERT INTO alert_group_instance (alert_group_id, instance_id, position) VALUES (?, ?, ?)", id, instance, i)
		if db.ForeignKey(err) {
			return ErrInstances.OnField("instances", ErrInstances.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// holding lists groups that hold an instance, at most limit of them.
func (s store) holding(ctx context.Context, instance int64, limit int) ([]Group, error) {
	return db.Select[Group](ctx, s.db, "SELECT "+columns+` FROM alert_group WHERE id IN (SELECT alert_group_id FROM alert_group_instance WHERE instance_id = ?)
		ORDER BY name LIMIT ?`, instance, limit)
}

func (s store) all(ctx context.Context) ([]Group, error) {
	groups, err := db.Select[Group](ctx, s.db, "SELECT "+columns+" FROM alert_group ORDER BY id")
	if err != nil {
		return nil, err
	}
	return s.filled(ctx, groups)
}

func (s store) ByID(ctx context.Context, id int64) (Group, error) {
	g, err := db.Get[Group](ctx, s.db, "SELECT "+columns+" FROM alert_group WHERE id = ?", id)
	if err != nil {
		return crud.Found(g, err, ErrNotFound)
	}
	one, err := s.filled(ctx, []Group{g})
	if err != nil {
		return g, err
	}
	return one[0], nil
}

func (s store) byName(ctx context.Context, name string) (Group, error) {
	g, err := db.Get[Group](ctx, s.db, "SELECT "+columns+" FROM alert_group WHERE name = ?", name)
	return crud.Found(g, err, ErrNotFound)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO alert_group (name, description, user_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?) RETURNING id`, d.Name, d.Description, who.UserID, now, now)
	if err != nil {
		return id, taken(err, d)
	}
	return id, s.link(ctx, id, d.Instances)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	if err := crud.Update(ctx, s.db, "alert_group", id, seen, now, "name = ?, description = ?", d.Name, d.Description); err != nil {
		return taken(err, d)
	}
	return s.link(ctx, id, d.Instances)
}

func (s store) Delete(ctx context.Context, id int64) error {
	if id == Admins {
		return ErrAdmins
	}
	_, err := s.db.Exec(ctx, "DELETE FROM alert_group WHERE id = ?", id)
	return err
}

func taken(err error, d Draft) error {
	return crud.Taken(err, "uq_alert_group_name", ErrNameTaken, "name", "name", d.Name)
}
