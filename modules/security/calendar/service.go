package calendar

import (
	"context"
	"errors"

	"dorado/app/kit/db"
	"dorado/modules/access"
	"dorado/modules/security/crud"
)

// Service holds the rules about calendars; it is the only door for other modules. Page, Get, Create, Update, Uses and
// Delete are those of crud.Keeper.
type Service struct {
	crud.Keeper[Calendar, Draft]
	store     store
	access    *access.Service
	referrers []Referrer
	listeners []func(ctx context.Context, id int64) error
}

// AddReferrer lets r object to deleting a calendar. It must not be called once requests are served.
func (s *Service) AddReferrer(r Referrer) { s.referrers = append(s.referrers, r) }

// OnChange tells fn of every calendar whose days changed, in the transaction of the change. It must not be called once
// requests are served.
func (s *Service) OnChange(fn func(ctx context.Context, id int64) error) {
	s.listeners = append(s.listeners, fn)
}

func (s *Service) referring(ctx context.Context, c Calendar, limit int) ([]Use, error) {
	return crud.Gather(s.referrers, limit, func(r Referrer, limit int) ([]Use, error) { return r.CalendarUses(ctx, c.ID, limit) })
}

func (s *Service) changed(ctx context.Context, c Calendar) error {
	for _, tell := range s.listeners {
		if err := tell(ctx, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// All lists every calendar by name.
func (s *Service) All(ctx context.Context) ([]Calendar, error) {
	if err := s.access.Require(ctx, View); err != nil {
		return nil, err
	}
	return s.store.all(ctx)
}

// Entries lists the single days of a calendar in order.
func (s *Service) Entries(ctx context.Context, id int64) (Calendar, []Entry, error) {
	c, err := s.Get(ctx, id)
	if err != nil {
		return c, nil, err
	}
	entries, err := s.store.entries(ctx, id)
	return c, entries, err
}

// Days returns what decides about the days of a calendar, false when there is none with this id. It asks no permission:
// clocks ask it.
func (s *Service) Days(ctx context.Context, id int64) (*Days, bool, error) {
	c, err := s.store.ByID(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	entries, err := s.store.entries(ctx, id)
	if err != nil {
		return nil, false, err
	}
	weekend, _ := ParseWeekend(c.Weekend)
	return NewDays(weekend, entries), true, nil
}

// Put adds the days of a text, see Parse, in place of what the calendar says about them; with replace in place of all its
// days. It returns how many there were, ErrNotFound, ErrLine, ErrTooMany.
func (s *Service) Put(ctx context.Context, id int64, text string, replace bool) (int, error) {
	entries, err := Parse(text)
	if line, ok := errors.AsType[*LineError](err); ok {
		args := []any{"line", line.Line, "text", line.Text, "reason", line.Reason}
		return 0, ErrLine.With(args...).OnField("days", ErrLine.Key, args...).Because(err)
	}
	if err != nil {
		return 0, err
	}
	return len(entries), s.edit(ctx, id, "put_days", map[string]any{"days": len(entries), "replace": replace}, func(ctx context.Context, _ *Days) error {
		if replace {
			if err := s.store.clear(ctx, id); err != nil {
				return err
			}
		}
		for _, e := range entries {
			if err := s.store.put(ctx, id, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// Remove makes a day like the others of its name. It returns ErrNotFound for a missing calendar.
func (s *Service) Remove(ctx context.Context, id int64, day Date) error {
	return s.edit(ctx, id, "remove_day", map[string]any{"day": day.String()}, func(ctx context.Context, _ *Days) error {
		return s.store.remove(ctx, id, day)
	})
}

// Toggle turns a day over: one that is worked becomes free, and the other way round. It returns ErrNotFound for a missing
// calendar.
func (s *Service) Toggle(ctx context.Context, id int64, day Date) error {
	return s.edit(ctx, id, "toggle_day", map[string]any{"day": day.String()}, func(ctx context.Context, days *Days) error {
		if _, differs := days.Entry(day); differs {
			return s.store.remove(ctx, id, day)
		}
		kind := Holiday
		if days.Free(day) {
			kind = MakeUp
		}
		return s.store.put(ctx, id, Entry{Date: day, Kind: kind})
	})
}

// edit changes days of a calendar.
func (s *Service) edit(ctx context.Context, id int64, verb string, detail any, change func(ctx context.Context, days *Days) error) error {
	if err := s.access.Require(ctx, Manage); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		c, err := s.store.ByID(ctx, id)
		if err != nil {
			return err
		}
		if err := s.store.touch(ctx, id, db.Now(s.Now)); err != nil { // whoever comes second waits here
			return err
		}
		days, _, err := s.Days(ctx, id)
		if err != nil {
			return err
		}
		if err := change(ctx, days); err != nil {
			return err
		}
		entries, err := s.store.entries(ctx, id)
		if err != nil {
			return err
		}
		if len(entries) > MaxEntries {
			return ErrTooMany.OnField("days", ErrTooMany.Key)
		}
		return s.Record(ctx, verb, c, detail)
	})
}
