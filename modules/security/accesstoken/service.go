package accesstoken

import (
	"context"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/modules/identity"
)

// errChanged is returned for a token that somebody else changed meanwhile.
var errChanged = fault.New(fault.Conflict, "security.changed")

// update changes the token that was read at the moment seen.
func (m *Module) update(ctx context.Context, id int64, d identity.TokenDraft, seen time.Time) (identity.Token, error) {
	var t identity.Token
	err := m.db.InTx(ctx, func(ctx context.Context) error {
		before, err := m.identity.GetToken(ctx, id)
		if err != nil {
			return err
		}
		if !db.Cut(seen).Equal(before.UpdatedAt) {
			return errChanged
		}
		t, err = m.identity.UpdateToken(ctx, id, d)
		return err
	})
	return t, err
}
