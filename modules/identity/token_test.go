package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/identity"
)

func TestAccessTokensAuthenticateUntilTheyEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		_, root := w.add("root", true)
		ann, annCtx := w.add("ann", false)
		_, bobCtx := w.add("bob", false)
		tok, value, err := w.CreateToken(annCtx, identity.TokenDraft{UserID: ann.ID, Name: "ci", ExpiresAt: w.now().Add(time.Hour)})
		require.NoError(t, err)
		require.Equal(t, value.Reveal()[len(value.Reveal())-4:], tok.Hint)
		p, err := w.AuthenticateToken(t.Context(), value.Reveal())
		require.NoError(t, err)
		require.Equal(t, ann.ID, p.UserID)
		require.Equal(t, tok.ID, p.TokenID)
		_, err = w.Authenticate(t.Context(), value.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated, "a token is no session")

		_, _, err = w.CreateToken(bobCtx, identity.TokenDraft{UserID: ann.ID, ExpiresAt: w.now().Add(time.Hour)})
		require.ErrorIs(t, err, access.ErrDenied)
		require.ErrorIs(t, w.DeleteToken(bobCtx, tok.ID), identity.ErrToken, "whether it exists is not told")
		_, err = w.UpdateToken(bobCtx, tok.ID, identity.TokenDraft{ExpiresAt: w.now().Add(time.Hour)})
		require.ErrorIs(t, err, identity.ErrToken)
		_, err = w.ListTokens(bobCtx, listing.New(identity.TokenSpec(), 1, 10, ""), true)
		require.ErrorIs(t, err, access.ErrDenied)
		mine, err := w.ListTokens(bobCtx, listing.New(identity.TokenSpec(), 1, 10, ""), false)
		require.NoError(t, err)
		require.Zero(t, mine.Total)
		all, err := w.ListTokens(root, listing.New(identity.TokenSpec(), 1, 10, "ann"), true)
		require.NoError(t, err)
		require.Equal(t, 1, all.Total)
		require.NotNil(t, all.Items[0].LastUsedAt)

		chosen := secret.String("0123456789abcdef0123456789abcdef")
		_, err = w.UpdateToken(annCtx, tok.ID, identity.TokenDraft{Name: "ci 2", ExpiresAt: w.now().Add(2 * time.Hour), Value: chosen})
		require.NoError(t, err)
		_, err = w.AuthenticateToken(t.Context(), value.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated)
		_, err = w.AuthenticateToken(t.Context(), chosen.Reveal())
		require.NoError(t, err)
		_, _, err = w.CreateToken(bobCtx, identity.TokenDraft{UserID: mustPrincipal(t, bobCtx).UserID, ExpiresAt: w.now().Add(time.Hour), Value: chosen})
		require.ErrorIs(t, err, identity.ErrTokenTaken)
		_, _, err = w.CreateToken(annCtx, identity.TokenDraft{UserID: ann.ID, ExpiresAt: w.now(), Value: "short"})
		require.Len(t, fields(err), 2)

		require.NoError(t, w.SetEnabled(w.system(), ann.ID, false))
		_, err = w.AuthenticateToken(t.Context(), chosen.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated, "a disabled user's tokens rest")
		require.NoError(t, w.SetEnabled(w.system(), ann.ID, true))
		w.advance(2 * time.Hour)
		_, err = w.AuthenticateToken(t.Context(), chosen.Reveal())
		require.ErrorIs(t, err, access.ErrUnauthenticated, "expired")
		require.NoError(t, w.DeleteToken(annCtx, tok.ID))
	})
}

func TestTheAuditLogTellsWhatATokenWasAndBecame(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ann, ctx := w.add("ann", false)
		tok, value, err := w.CreateToken(ctx, identity.TokenDraft{UserID: ann.ID, Name: "ci", ExpiresAt: w.now().Add(time.Hour)})
		require.NoError(t, err)
		_, err = w.UpdateToken(ctx, tok.ID, identity.TokenDraft{Name: "ci 2", ExpiresAt: tok.ExpiresAt})
		require.NoError(t, err)
		require.NoError(t, w.DeleteToken(ctx, tok.ID))
		row := func(action string) audit.Row {
			log, err := w.audit.List(t.Context(), listing.New(audit.Spec(), 1, 10, action), audit.Filter{})
			require.NoError(t, err)
			require.Equal(t, 1, log.Total)
			require.NotContains(t, log.Items[0].Before+log.Items[0].After, value.Reveal())
			return log.Items[0]
		}
		created := row("token.create")
		require.Empty(t, created.Before)
		require.Contains(t, created.After, `"name":"ci"`)
		changed := row("token.update")
		require.JSONEq(t, `{"name":"ci"}`, changed.Before)
		require.JSONEq(t, `{"name":"ci 2"}`, changed.After)
		deleted := row("token.delete")
		require.Contains(t, deleted.Before, tok.Hint)
		require.Empty(t, deleted.After)
	})
}

func TestALimitedTokenCannotGetRidOfItsLimit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		root, rootCtx := w.add("root", true)
		for _, text := range []string{"everything", "instance", "*", "project:x", "project:0", "instance.*;drop", "Instance.read", "a.b.c", "пр.read"} {
			_, _, err := w.CreateToken(rootCtx, identity.TokenDraft{UserID: root.ID, ExpiresAt: w.now().Add(time.Hour), Scope: identity.ParseScope(text)})
			require.Contains(t, fields(err), "scope", text)
		}
		long := make(identity.Scope, 101)
		for i := range long {
			long[i] = "a.b"
		}
		_, _, err := w.CreateToken(rootCtx, identity.TokenDraft{UserID: root.ID, ExpiresAt: w.now().Add(time.Hour), Scope: long})
		require.Contains(t, fields(err), "scope")

		made, value, err := w.CreateToken(rootCtx, identity.TokenDraft{
			UserID: root.ID, ExpiresAt: w.now().Add(time.Hour), Scope: identity.ParseScope("project:7,\n token.* *.read  *.read"),
		})
		require.NoError(t, err)
		require.Equal(t, "*.read project:7 token.*", made.Scope.String())
		require.Equal(t, []int64{7}, made.Scope.Projects())
		require.Equal(t, root.ID, made.CreatedBy)
		read, err := w.GetToken(rootCtx, made.ID)
		require.NoError(t, err)
		require.Equal(t, made.Scope, read.Scope)
		require.Equal(t, "root", read.Creator)
		p, err := w.AuthenticateToken(t.Context(), value.Reveal())
		require.NoError(t, err)
		require.Equal(t, []string(made.Scope), p.Scope)

		ctx := access.WithPrincipal(t.Context(), p)
		_, _, err = w.CreateToken(ctx, identity.TokenDraft{UserID: root.ID, ExpiresAt: w.now().Add(time.Hour)})
		require.ErrorIs(t, err, access.ErrDenied)
		_, err = w.UpdateToken(ctx, made.ID, identity.TokenDraft{ExpiresAt: w.now().Add(time.Hour)})
		require.Error(t, err)
		require.Error(t, w.DeleteToken(ctx, made.ID))
		require.ErrorIs(t, w.ChangePassword(ctx, good, "another horse 8"), access.ErrDenied)
		require.ErrorIs(t, w.EndSessions(ctx, false), access.ErrDenied)
		_, err = w.UpdateProfile(ctx, identity.Profile{Email: "x@example.org"})
		require.ErrorIs(t, err, access.ErrDenied)
		_, err = w.Me(ctx)
		require.NoError(t, err, "who it is it may know")

		changed, err := w.UpdateToken(rootCtx, made.ID, identity.TokenDraft{Name: "later", ExpiresAt: w.now().Add(2 * time.Hour)})
		require.NoError(t, err)
		require.Equal(t, made.Scope, changed.Scope, "an edit does not widen it")
	})
}

func mustPrincipal(t *testing.T, ctx context.Context) access.Principal {
	t.Helper()
	p, err := access.Must(ctx)
	require.NoError(t, err)
	return p
}
