package calendar_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/app/kit/web/webtest"
	"dorado/modules/access"
	"dorado/modules/security/calendar"
	"dorado/modules/security/crudtest"
)

func open(t *testing.T, d *db.DB) (*crudtest.App, *calendar.Module) {
	t.Helper()
	a := crudtest.NewApp(t, d, calendar.Rules())
	m := calendar.New(calendar.Deps{DB: a.DB, Access: a.Access, Audit: a.Audit, Site: a.Site, Frame: a.Frame})
	m.AddReferrer(described{a.DB})
	return a, m
}

// described says that a calendar is used when its description says so.
type described struct{ db *db.DB }

func (u described) CalendarUses(ctx context.Context, id int64, _ int) ([]calendar.Use, error) {
	n, err := db.Get[int](ctx, u.db, "SELECT count(*) FROM calendar WHERE id = ? AND description = 'used'", id)
	if err != nil || n == 0 {
		return nil, err
	}
	return []calendar.Use{{Kind: "calendar.one", Name: "daily at 8", URL: "/projects/1/schedules"}}, nil
}

func name(n int) string { return fmt.Sprintf("china-%02d", n) }

func TestCalendarsBehaveLikeEveryList(t *testing.T) {
	t.Parallel()
	crudtest.Run(t, crudtest.Case{
		Path: calendar.Path,
		Open: func(t *testing.T, d *db.DB) (*crudtest.App, func(chi.Router)) {
			t.Helper()
			a, m := open(t, d)
			return a, m.Routes
		},
		Valid: func(n int) []string {
			return []string{"name", name(n), "weekend", "SAT", "weekend", "SUN", "description", "official"}
		},
		Name:      name,
		NameField: "name", Sort: "name",
		Edited: func(n int) []string {
			return []string{"name", name(n), "weekend", "FRI", "description", "of the north"}
		},
		Shows:    "of the north",
		Unique:   true,
		Required: "name",
		Hostile:  func(text string) []string { return []string{"name", text, "weekend", text, "description", text} },
		Use: func(t *testing.T, a *crudtest.App) string {
			t.Helper()
			_, err := a.DB.Exec(t.Context(), "UPDATE calendar SET description = 'used' WHERE name = ?", name(1))
			require.NoError(t, err)
			return "daily at 8"
		},
	})
}

type shown struct {
	app            *crudtest.App
	m              *calendar.Module
	admin, general *webtest.Browser
	path           string
	id             int64
}

func show(t *testing.T, d *db.DB) shown {
	t.Helper()
	a, m := open(t, d)
	c, err := m.Create(access.WithPrincipal(t.Context(), a.Admin), calendar.Draft{Name: "china", Weekend: "SUN,SAT"})
	require.NoError(t, err)
	b := a.Browser(t, m.Routes)
	return shown{a, m, b.As(crudtest.As(a.Admin)), b.As(crudtest.As(a.General)), fmt.Sprintf("%s/%d", calendar.Path, c.ID), c.ID}
}

func TestDaysArePastedSeenRemovedAndExported(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := show(t, d)
		var told []int64
		s.m.OnChange(func(_ context.Context, id int64) error {
			told = append(told, id)
			return nil
		})
		back := s.admin.Post(s.path+"/days?year=2026", "days", golden).Require(http.StatusSeeOther)
		require.Equal(t, s.path+"?year=2026", back.Header.Get("Location"))
		page := s.admin.Get(s.path + "?year=2026").Require(http.StatusOK)
		require.Equal(t, 365, page.Count("[data-test='calendar.year'] button"))
		require.Equal(t, "holiday", page.Attr("button[value='2026-10-05']", "data-day"))
		require.Equal(t, "makeup", page.Attr("button[value='2026-10-10']", "data-day"))
		require.Equal(t, "weekend", page.Attr("button[value='2026-10-11']", "data-day"))
		require.Equal(t, 8, page.Count("[data-test='calendar.entries'] tbody tr"))
		require.Equal(t, 366, s.admin.Get(s.path+"?year=2028").Count("[data-test='calendar.year'] button"))

		s.admin.Post(s.path+"/days/delete?year=2026", "day", "2026-10-10").Require(http.StatusSeeOther)
		require.Equal(t, "weekend", s.admin.Get(s.path+"?year=2026").Attr("button[value='2026-10-10']", "data-day"))
		file := s.admin.Get(s.path + "/days.txt").Require(http.StatusOK)
		require.Contains(t, file.Header.Get("Content-Disposition"), "china.txt")
		require.True(t, strings.HasPrefix(file.Body, "2026-10-01 HOLIDAY National Day\n"), file.Body)
		require.Equal(t, []int64{s.id, s.id}, told)
		require.Subset(t, s.app.Audited(t), []string{"calendar.put_days", "calendar.remove_day"})

		days, ok, err := s.m.Days(t.Context(), s.id)
		require.NoError(t, err)
		require.True(t, ok)
		require.False(t, days.Workday(2026, 10, 7))
		_, ok, err = s.m.Days(t.Context(), 4711)
		require.NoError(t, err)
		require.False(t, ok)
	})
}

func TestReplacingForgetsTheDaysBefore(t *testing.T) {
	t.Parallel()
	s := show(t, dbtest.SQLite(t))
	ctx := access.WithPrincipal(t.Context(), s.app.Admin)
	_, err := s.m.Put(ctx, s.id, "2026-01-01\n2026-01-02", false)
	require.NoError(t, err)
	_, err = s.m.Put(ctx, s.id, "2026-01-02 WORKDAY", false)
	require.NoError(t, err)
	_, entries, err := s.m.Entries(ctx, s.id)
	require.NoError(t, err)
	require.Equal(t, "2026-01-01 HOLIDAY\n2026-01-02 WORKDAY\n", calendar.Format(entries))
	_, err = s.m.Put(ctx, s.id, "2027-05-01", true)
	require.NoError(t, err)
	_, entries, err = s.m.Entries(ctx, s.id)
	require.NoError(t, err)
	require.Equal(t, "2027-05-01 HOLIDAY\n", calendar.Format(entries))
}

func TestAClickTurnsADayOver(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := show(t, d)
		for _, c := range []struct{ day, kind string }{
			{"2026-10-08", "holiday"}, {"2026-10-08", "work"}, {"2026-10-10", "makeup"}, {"2026-10-10", "weekend"},
		} {
			s.admin.Post(s.path+"/toggle?year=2026", "day", c.day).Require(http.StatusSeeOther)
			require.Equal(t, c.kind, s.admin.Get(s.path+"?year=2026").Attr("button[value='"+c.day+"']", "data-day"))
		}
	})
}

func TestABadLineComesBackWithItsNumberAndTheText(t *testing.T) {
	t.Parallel()
	s := show(t, dbtest.SQLite(t))
	page := s.admin.In("zh-CN").Post(s.path+"/days", "days", "2026-10-01\n2026-13-01 HOLIDAY").Require(http.StatusUnprocessableEntity)
	require.Contains(t, page.Text(".err"), "第 2 行")
	require.Contains(t, page.Value("days"), "2026-13-01")
	_, entries, err := s.m.Entries(access.WithPrincipal(t.Context(), s.app.Admin), s.id)
	require.NoError(t, err)
	require.Empty(t, entries, "all or nothing")
	s.admin.Post(s.path+"/toggle", "day", "yesterday").Require(http.StatusUnprocessableEntity)
}

func TestOthersSeeACalendarAndChangeNothing(t *testing.T) {
	t.Parallel()
	s := show(t, dbtest.SQLite(t))
	page := s.general.Get(s.path).Require(http.StatusOK)
	require.False(t, page.Has("main form"))
	s.general.Get(s.path + "/days.txt").Require(http.StatusOK)
	for _, path := range []string{"/days", "/days/delete", "/toggle"} {
		s.general.Post(s.path+path, "days", "2026-10-01", "day", "2026-10-01").Require(http.StatusForbidden)
	}
	s.admin.Get(calendar.Path + "/4711").Require(http.StatusNotFound)
	s.admin.Get(s.path + "?year=abc").Require(http.StatusOK)
	s.admin.Get(s.path + "?year=99999").Require(http.StatusOK)
}
