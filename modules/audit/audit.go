package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dorado/app/kit/db"
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
	// Before and After are what the object was and became, written as JSON; nil where it was not there, or where nobody
	// looked. Of two objects the log keeps what differs. Secrets must be secret.String, or not be written at all.
	Before, After any
}

// Change as the Detail of an entry gives its Before and After, too, for those who pass details on.
type Change struct{ Before, After, Detail any }

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
	Before      string    `db:"before_state"`
	After       string    `db:"after_state"`
	LatencyMS   int64     `db:"latency_ms"` // from the arrival of the request to the entry
	RequestID   string    `db:"request_id"` // "" outside requests
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
	values, err := s.values(ctx, e)
	if err == nil {
		_, err = s.DB.Exec(ctx, `INSERT INTO audit_log (`+entryColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, values...)
	}
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	return nil
}

// Statement returns what Record would carry out on PostgreSQL, for who joins it with the deed itself in one statement. rows
// names where the entries come from, one for each row, and member a last member of their details with the value of an
// expression over the row. The detail of e must have members of its own.
func (s *Service) Statement(ctx context.Context, e Entry, rows, member, value string) (query string, args []any, err error) {
	values, err := s.values(ctx, e)
	if err != nil {
		return "", nil, fmt.Errorf("audit %s: %w", e.Action, err)
	}
	text := func(n int) string { return strings.Repeat("CAST(? AS TEXT), ", n) }
	return `INSERT INTO audit_log (` + entryColumns + `) SELECT CAST(? AS TIMESTAMPTZ), CAST(? AS BIGINT), ` + text(6) + `CAST(? AS BIGINT),
		left(CAST(? AS TEXT), -1) || ',"` + member + `":' || ` + value + ` || '}', ` + text(2) + `CAST(? AS BIGINT), CAST(? AS TEXT) FROM ` + rows, values, nil
}

const entryColumns = `at, user_id, user_name, client, action, object_type, object_id, object_name, project_code, detail, before_state,
	after_state, latency_ms, request_id`

// values are those of entryColumns.
func (s *Service) values(ctx context.Context, e Entry) ([]any, error) {
	if c, ok := e.Detail.(Change); ok {
		e.Before, e.After, e.Detail = c.Before, c.After, c.Detail
	}
	detail := ""
	if e.Detail != nil {
		text, err := json.Marshal(e.Detail)
		if err != nil {
			return nil, err
		}
		detail = string(text)
	}
	before, after, err := states(e.Before, e.After)
	if err != nil {
		return nil, err
	}
	now, latency := s.Now(), int64(0)
	if arrived := web.Arrived(ctx); !arrived.IsZero() {
		latency = max(0, time.Since(arrived).Milliseconds())
	}
	who := ActorFrom(ctx)
	return []any{
		now, who.UserID, who.Name, web.ClientAddress(ctx), e.Action, e.ObjectType, e.ObjectID, e.ObjectName, e.ProjectCode, detail,
		before, after, latency, web.RequestID(ctx),
	}, nil
}
