package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/web"
)

// Entry is one deed to record.
type Entry struct {
	Action      string // "<object type>.<verb>", such as "user.create"
	ObjectType  string
	ObjectID    string
	ObjectName  string
	ProjectCode int64 // 0 outside projects
	Detail      any   // written as JSON; nil for none. Secrets must be secret.String.
}

// Row is a recorded deed.
type Row struct {
	ID          int64     `db:"id"`
	At          time.Time `db:"at"`
	UserID      int64     `db:"user_id"` // 0 when the program itself acted
	UserName    string    `db:"user_name"`
	Client      string    `db:"client"`
	Action      string    `db:"action"`
	ObjectType  string    `db:"object_type"`
	ObjectID    string    `db:"object_id"`
	ObjectName  string    `db:"object_name"`
	ProjectCode int64     `db:"project_code"`
	Detail      string    `db:"detail"` // JSON, or empty
}

// Actor is who does the deeds of a context.
type Actor struct {
	UserID int64
	Name   string
}

type actorKey struct{}

// WithActor returns a context whose deeds are a's.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom returns who acts in ctx; without anybody it is the program itself.
func ActorFrom(ctx context.Context) Actor {
	a, ok := ctx.Value(actorKey{}).(Actor)
	if !ok {
		return Actor{Name: "system"}
	}
	return a
}

// Deps is what the service needs.
type Deps struct {
	DB  *db.DB
	Now func() time.Time
	// MayList returns nil when whoever acts in ctx may read the log. Package access stands above this one, so boot
	// hands its check in; without it nobody may.
	MayList func(ctx context.Context) error
}

// Service records and lists deeds.
type Service struct{ Deps }

// New returns the service.
func New(d Deps) *Service { return &Service{d} }

// Record writes an entry in the transaction of ctx. Its error must end that transaction: a deed that cannot be recorded
// does not happen.
func (s *Service) Record(ctx context.Context, e Entry) error {
	detail := ""
	if e.Detail != nil {
		text, err := json.Marshal(e.Detail)
		if err != nil {
			return fmt.Errorf("audit %s: %w", e.Action, err)
		}
		detail = string(text)
	}
	who := ActorFrom(ctx)
	_, err := s.DB.Exec(ctx, `INSERT INTO audit_log
		(at, user_id, user_name, client, action, object_type, object_id, object_name, project_code, detail)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.Now(), who.UserID, who.Name, web.ClientAddress(ctx), e.Action, e.ObjectType, e.ObjectID, e.ObjectName, e.ProjectCode, detail)
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	return nil
}

// ErrForbidden is returned by List when nobody decided who may read the log.
var ErrForbidden = fault.New(fault.Forbidden, "access.denied").With("permission", "audit.read")

// Spec is what the list can be sorted by, searched in and filtered by.
func Spec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{"at": "at", "user": "user_name", "action": "action", "object": "object_name"},
		Search:  []string{"user_name", "object_name", "action"},
		Filters: map[string]string{"user": "user_name", "action": "action", "type": "object_type"},
		Default: "-at",
		ID:      "id",
	}
}

// Period bounds a list in time; a zero bound is open. From is included, To is not.
type Period struct{ From, To time.Time }

// List returns one page of the log. It returns what MayList returns.
func (s *Service) List(ctx context.Context, q listing.Query, p Period) (listing.Page[Row], error) {
	none := listing.Page[Row]{}
	if s.MayList == nil {
		return none, ErrForbidden
	}
	if err := s.MayList(ctx); err != nil {
		return none, err
	}
	where, args := q.Where(s.DB.Dialect().Like, db.Contains)
	if !p.From.IsZero() {
		where += " AND at >= ?"
		args = append(args, p.From)
	}
	if !p.To.IsZero() {
		where += " AND at < ?"
		args = append(args, p.To)
	}
	total, err := db.Get[int](ctx, s.DB, "SELECT COUNT(*) FROM audit_log WHERE "+where, args...)
	if err != nil {
		return none, fmt.Errorf("count the audit log: %w", err)
	}
	q = q.Clamp(total)
	order, more := q.OrderLimit()
	rows, err := db.Select[Row](ctx, s.DB, `SELECT id, at, user_id, user_name, client, action, object_type, object_id, object_name,
		project_code, detail FROM audit_log WHERE `+where+" "+order, append(args, more...)...)
	if err != nil {
		return none, fmt.Errorf("list the audit log: %w", err)
	}
	return listing.NewPage(q, rows, total), nil
}
