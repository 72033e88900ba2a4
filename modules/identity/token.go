package identity

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/app/kit/ids"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/audit"
)

// minTokenValue is the least length of a token that a client makes up.
const minTokenValue = 20

// Token is an access token for programs. Its value is shown once, when it is made.
type Token struct {
	ID         int64      `db:"id"`
	UserID     int64      `db:"user_id"`
	UserName   string     `db:"user_name"`
	Name       string     `db:"name"`
	Hint       string     `db:"hint"`       // the last four characters
	Scope      Scope      `db:"scope"`      // empty: everything its user may
	CreatedBy  int64      `db:"created_by"` // user; 0 = not known
	Creator    string     `db:"creator"`    // his name, empty when he is gone
	ExpiresAt  time.Time  `db:"expires_at"`
	LastUsedAt *time.Time `db:"last_used_at"` // up to a minute old; nil when never used
	CreatedAt  time.Time  `db:"created_at"`
	UpdatedAt  time.Time  `db:"updated_at"`
}

// TokenDraft is what one sets of a token.
type TokenDraft struct {
	UserID    int64
	Name      string
	ExpiresAt time.Time
	Scope     Scope // of a new token; it does not change
	// Value is a token the client made, at least 20 characters; empty makes one, or keeps that of an existing one.
	Value secret.String
}

func (d TokenDraft) validate(now time.Time) error {
	var c fault.Collector
	if utf8.RuneCountInString(d.Name) > 100 || !printable(d.Name) {
		c.Add("name", "identity.token.name_rule", "max", 100)
	}
	if !d.ExpiresAt.After(now) {
		c.Add("expires_at", "identity.token.expiry_past")
	}
	d.Scope.validate(&c)
	v := d.Value.Reveal()
	if v != "" && (len(v) < minTokenValue || len(v) > 256 || !printable(v) || strings.ContainsAny(v, " \t")) {
		c.Add("token", "identity.token.value_rule", "min", minTokenValue)
	}
	return c.Err()
}

// CreateToken makes a token for oneself, or for anybody as an administrator, and returns its value. It returns Invalid
// faults on the fields of TokenDraft, ErrNotFound without such a user, ErrTokenTaken and access errors.
func (s *Service) CreateToken(ctx context.Context, d TokenDraft) (Token, secret.String, error) {
	if err := s.mayManageTokens(ctx, d.UserID); err != nil {
		return Token{}, "", err
	}
	now := s.now()
	d.Name = strings.TrimSpace(d.Name)
	if err := d.validate(now); err != nil {
		return Token{}, "", err
	}
	if d.Value == "" {
		d.Value = secret.String(ids.Token())
	}
	var t Token
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		u, err := s.store.byID(ctx, d.UserID)
		if err != nil {
			return err
		}
		by, _ := access.From(ctx)
		t = Token{
			UserID: u.ID, UserName: u.Name, Name: d.Name, Hint: hint(d.Value), Scope: d.Scope, CreatedBy: by.UserID, Creator: by.Name,
			ExpiresAt: db.Cut(d.ExpiresAt), CreatedAt: now, UpdatedAt: now,
		}
		if t.ID, err = s.store.insertToken(ctx, t, ids.Hash(d.Value.Reveal())); err != nil {
			return err
		}
		return s.recordToken(ctx, "token.create", nil, &t)
	})
	return t, d.Value, err
}

// UpdateToken changes name and expiry of a token, and its value when one is given; its user stays. It returns what
// CreateToken does, and ErrToken.
func (s *Service) UpdateToken(ctx context.Context, id int64, d TokenDraft) (Token, error) {
	now := s.now()
	d.Name = strings.TrimSpace(d.Name)
	if err := d.validate(now); err != nil {
		return Token{}, err
	}
	var t Token
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		if t, err = s.ownToken(ctx, id); err != nil {
			return err
		}
		was := t
		hash := ""
		if d.Value != "" {
			hash, t.Hint = ids.Hash(d.Value.Reveal()), hint(d.Value)
		}
		t.Name, t.ExpiresAt, t.UpdatedAt = d.Name, db.Cut(d.ExpiresAt), now
		if err := s.store.updateToken(ctx, t, hash); err != nil {
			return err
		}
		s.forget(ctx)
		return s.recordToken(ctx, "token.update", &was, &t)
	})
	return t, err
}

// DeleteToken ends a token at once. It returns ErrToken and access errors.
func (s *Service) DeleteToken(ctx context.Context, id int64) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		t, err := s.ownToken(ctx, id)
		if err != nil {
			return err
		}
		if err := s.store.deleteToken(ctx, id); err != nil {
			return err
		}
		s.forget(ctx)
		return s.recordToken(ctx, "token.delete", &t, nil)
	})
}

// GetToken returns a token of oneself, or any for an administrator. It returns ErrToken and access errors.
func (s *Service) GetToken(ctx context.Context, id int64) (Token, error) { return s.ownToken(ctx, id) }

// TokenSpec is what the list of tokens can be sorted by and searched in.
func TokenSpec() listing.Spec {
	return listing.Spec{
		Columns: map[string]string{
			"name": "t.name", "user": "u.name", "expires": "t.expires_at", "used": "t.last_used_at", "created": "t.created_at", "updated": "t.updated_at",
		},
		Search:  []string{"u.name", "t.name"},
		Default: "-updated",
		ID:      "t.id",
	}
}

// ListTokens returns one page of tokens: the own ones, and those of all users for an administrator who asks for them.
func (s *Service) ListTokens(ctx context.Context, q listing.Query, everybody bool) (listing.Page[Token], error) {
	p, err := access.Must(ctx)
	if err != nil {
		return listing.Page[Token]{}, err
	}
	if everybody {
		if err := s.access.Require(ctx, TokenManage); err != nil {
			return listing.Page[Token]{}, err
		}
		return s.store.listTokens(ctx, q, 0)
	}
	return s.store.listTokens(ctx, q, p.UserID)
}

// TokensOf returns the tokens of oneself, or of anybody for an administrator, the last used first. It returns access
// errors.
func (s *Service) TokensOf(ctx context.Context, userID int64) ([]Token, error) {
	if p, err := access.Must(ctx); err != nil || p.UserID != userID || p.IsSystem() {
		if err := s.access.Require(ctx, TokenManage); err != nil {
			return nil, err
		}
	}
	return s.store.tokensOf(ctx, userID)
}

// EndTokensOf ends all tokens of a user at once. It returns ErrNotFound and access errors.
func (s *Service) EndTokensOf(ctx context.Context, userID int64) error {
	if err := s.mayManageTokens(ctx, userID); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		u, err := s.store.byID(ctx, userID)
		if err != nil {
			return err
		}
		if err := s.store.deleteTokens(ctx, userID); err != nil {
			return err
		}
		s.forget(ctx)
		return s.record(ctx, "user.tokens_end", u, nil)
	})
}

func (s *Service) mayManageTokens(ctx context.Context, userID int64) error {
	p, err := own(ctx)
	if err != nil {
		return err
	}
	if p.UserID == userID && !p.MustChangePassword {
		return nil
	}
	return s.access.Require(ctx, TokenManage)
}

// ownToken reads a token that the principal may manage. Somebody else's does not exist for a general user.
func (s *Service) ownToken(ctx context.Context, id int64) (Token, error) {
	if _, err := access.Must(ctx); err != nil {
		return Token{}, err
	}
	t, err := s.store.tokenByID(ctx, id)
	if errors.Is(err, db.ErrNoRows) {
		return Token{}, ErrToken
	}
	if err != nil {
		return Token{}, err
	}
	if err := s.mayManageTokens(ctx, t.UserID); err != nil {
		if errors.Is(err, access.ErrDenied) {
			return Token{}, ErrToken
		}
		return Token{}, err
	}
	return t, nil
}

// recordToken tells what a token was and became; nil: it was not there.
func (s *Service) recordToken(ctx context.Context, action string, before, after *Token) error {
	t := cmp.Or(after, before)
	e := audit.Entry{Action: action, ObjectType: "token", ObjectID: strconv.FormatInt(t.ID, 10), ObjectName: t.Name}
	if before != nil {
		e.Before = before.state()
	}
	if after != nil {
		e.After = after.state()
	}
	return s.audit.Record(ctx, e)
}

// state is what the audit log keeps of a token.
func (t *Token) state() map[string]any {
	return map[string]any{
		"user": t.UserName, "name": t.Name, "expires_at": t.ExpiresAt.UTC(), "ends_with": t.Hint, "scope": t.Scope.String(),
	}
}

func hint(value secret.String) string {
	v := value.Reveal()
	return v[max(0, len(v)-4):]
}
