package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
)

// ErrForbidden is returned by List, Get and Each when nobody decided who may read the log.
var ErrForbidden = fault.New(fault.Forbidden, "access.denied").With("permission", "audit.read")

// ErrNotFound says that there is no such entry, or none any more.
var ErrNotFound = fault.New(fault.NotFound, "auditlog.error.not_found")

// Spec is what the list can be sorted by, searched in and filtered by.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"at": "at", "user": "user_name", "action": "action", "object": "object_name", "latency": "latency_ms"},
		Search:  []string{"user_name", "object_name", "action"},
		Filters: map[string]string{"user": "user_name", "action": "action", "type": "object_type", "object": "object_name"},
		Default: "-at",
		ID:      "id",
	}
}

// Filter narrows a list beyond what a listing.Query says; zero values narrow nothing.
type Filter struct {
	From, To time.Time // From is included, To is not
	Project  int64
	User     string // part of the name
	Object   string // part of the name
	Types    []string
	Actions  []string // all of "<type>.<verb>"
	Verbs    []string // what stands behind the point
}

const columns = `id, ` + entryColumns

// where makes SQL of a query and a filter.
func (s *Service) where(q listing.Query, f Filter) (string, []any) {
	where, args := q.Where(s.DB.Dialect().Like, db.Contains)
	add := func(sql string, more ...any) { where, args = where+" AND "+sql, append(args, more...) }
	if !f.From.IsZero() {
		add("at >= ?", f.From)
	}
	if !f.To.IsZero() {
		add("at < ?", f.To)
	}
	if f.Project != 0 {
		add("project_code = ?", f.Project)
	}
	if f.User != "" {
		add(s.DB.Dialect().Like("user_name"), db.Contains(f.User))
	}
	if f.Object != "" {
		add(s.DB.Dialect().Like("object_name"), db.Contains(f.Object))
	}
	oneOf := func(list []string, sql string, arg func(string) any) {
		if len(list) == 0 {
			return
		}
		for _, item := range list {
			args = append(args, arg(item))
		}
		where += " AND (" + strings.Repeat(sql+" OR ", len(list)-1) + sql + ")"
	}
	plain := func(item string) any { return item }
	oneOf(f.Types, "object_type = ?", plain)
	oneOf(f.Actions, "action = ?", plain)
	oneOf(f.Verbs, "action LIKE ?", func(verb string) any { return "%." + verb })
	return where, args
}

func (s *Service) mayList(ctx context.Context) error {
	if s.MayList == nil {
		return ErrForbidden
	}
	return s.MayList(ctx)
}

// List returns one page of the log. It returns what MayList returns.
func (s *Service) List(ctx context.Context, q listing.Query, f Filter) (listing.Page[Row], error) {
	none := listing.Page[Row]{}
	if err := s.mayList(ctx); err != nil {
		return none, err
	}
	where, args := s.where(q, f)
	total, err := db.Get[int](ctx, s.DB, "SELECT COUNT(*) FROM audit_log WHERE "+where, args...)
	if err != nil {
		return none, fmt.Errorf("count the audit log: %w", err)
	}
	q = q.Clamp(total)
	order, more := q.OrderLimit()
	rows, err := db.Select[Row](ctx, s.DB, "SELECT "+columns+" FROM audit_log WHERE "+where+" "+order, append(args, more...)...)
	if err != nil {
		return none, fmt.Errorf("list the audit log: %w", err)
	}
	return listing.NewPage(q, rows, total), nil
}

// Get returns one entry, or ErrNotFound.
func (s *Service) Get(ctx context.Context, id int64) (Row, error) {
	if err := s.mayList(ctx); err != nil {
		return Row{}, err
	}
	rows, err := db.Select[Row](ctx, s.DB, "SELECT "+columns+" FROM audit_log WHERE id = ?", id)
	if err != nil {
		return Row{}, fmt.Errorf("read the audit log: %w", err)
	}
	if len(rows) == 0 {
		return Row{}, ErrNotFound
	}
	return rows[0], nil
}

// exportPage is how many entries Each reads at a time, so that no long read keeps the database busy.
const exportPage = 500

// Each calls fn with the newest entries that answer q and f, at most limit of them, the newest first, and reports whether
// there are more.
func (s *Service) Each(ctx context.Context, q listing.Query, f Filter, limit int, fn func(Row) error) (more bool, err error) {
	if err := s.mayList(ctx); err != nil {
		return false, err
	}
	where, args := s.where(q, f)
	before := int64(0)
	for done := 0; ; {
		page, pageArgs := where, slices.Clone(args)
		if before != 0 {
			page, pageArgs = page+" AND id < ?", append(pageArgs, before)
		}
		rows, err := db.Select[Row](ctx, s.DB, "SELECT "+columns+" FROM audit_log WHERE "+page+" ORDER BY id DESC LIMIT ?",
			append(pageArgs, exportPage)...)
		if err != nil {
			return false, fmt.Errorf("read the audit log: %w", err)
		}
		for _, row := range rows {
			if done == limit {
				return true, nil
			}
			if err := fn(row); err != nil {
				return false, err
			}
			done++
			before = row.ID
		}
		if len(rows) < exportPage {
			return false, nil
		}
	}
}
