package calendar

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/listing"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

type store struct{ db *db.DB }

const (
	columns = `c.id, c.name, c.description, c.weekend, c.operator_id, c.created_at, c.updated_at,
		(SELECT count(*) FROM calendar_day d WHERE d.calendar_id = c.id AND d.kind = 'HOLIDAY') AS holidays,
		(SELECT count(*) FROM calendar_day d WHERE d.calendar_id = c.id AND d.kind = 'WORKDAY') AS make_ups`
	read = "SELECT " + columns + " FROM calendar c"
)

// Page is part of crud.Store, as what follows.
func (s store) Page(ctx context.Context, q listing.Query) (listing.Page[Calendar], error) {
	return crud.Select[Calendar](ctx, s.db, q, columns, "calendar c")
}

func (s store) all(ctx context.Context) ([]Calendar, error) {
	return db.Select[Calendar](ctx, s.db, read+" ORDER BY c.name")
}

func (s store) ByID(ctx context.Context, id int64) (Calendar, error) {
	c, err := db.Get[Calendar](ctx, s.db, read+" WHERE c.id = ?", id)
	return crud.Found(c, err, ErrNotFound)
}

func (s store) Insert(ctx context.Context, d Draft, now time.Time) (int64, error) {
	who, _ := access.From(ctx)
	id, err := db.Get[int64](ctx, s.db, `INSERT INTO calendar (name, description, weekend, operator_id, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?) RETURNING id`, d.Name, d.Description, d.Weekend, who.UserID, now, now)
	return id, taken(err, d)
}

func (s store) Update(ctx context.Context, id int64, d Draft, seen, now time.Time) error {
	who, _ := access.From(ctx)
	return taken(crud.Update(ctx, s.db, "calendar", id, seen, now, "name = ?, description = ?, weekend = ?, operator_id = ?",
		d.Name, d.Description, d.Weekend, who.UserID), d)
}

func (s store) Delete(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM calendar WHERE id = ?", id)
	if db.ForeignKey(err) {
		return ErrInUse.Because(err)
	}
	return err
}

// touch notes that days of a calendar changed, and by whom.
func (s store) touch(ctx context.Context, id int64, now time.Time) error {
	who, _ := access.From(ctx)
	_, err := s.db.Exec(ctx, "UPDATE calendar SET operator_id = ?, updated_at = ? WHERE id = ?", who.UserID, now, id)
	return err
}

type dayRow struct {
	Day  string `db:"day"`
	Kind Kind   `db:"kind"`
	Note string `db:"note"`
}

func (s store) entries(ctx context.Context, id int64) ([]Entry, error) {
	rows, err := db.Select[dayRow](ctx, s.db, "SELECT day, kind, note FROM calendar_day WHERE calendar_id = ? ORDER BY day", id)
	out := make([]Entry, 0, len(rows))
	for _, r := range rows {
		if day, ok := ParseDate(r.Day); ok {
			out = append(out, Entry{day, r.Kind, r.Note})
		}
	}
	return out, err
}

func (s store) put(ctx context.Context, id int64, e Entry) error {
	_, err := s.db.Exec(ctx, `INSERT INTO calendar_day (calendar_id, day, kind, note) VALUES (?, ?, ?, ?)
		ON CONFLICT (calendar_id, day) DO UPDATE SET kind = excluded.kind, note = excluded.note`, id, e.Date.String(), e.Kind, e.Note)
	return err
}

func (s store) remove(ctx context.Context, id int64, day Date) error {
	_, err := s.db.Exec(ctx, "DELETE FROM calendar_day WHERE calendar_id = ? AND day = ?", id, day.String())
	return err
}

func (s store) clear(ctx context.Context, id int64) error {
	_, err := s.db.Exec(ctx, "DELETE FROM calendar_day WHERE calendar_id = ?", id)
	return err
}

func taken(err error, d Draft) error {
	return crud.Taken(err, "uq_calendar_name", ErrNameTaken, "name", "name", d.Name)
}
