package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/modules/access"
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

func mustPrincipal(t *testing.T, ctx context.Context) access.Principal {
	t.Helper()
	p, err := access.Must(ctx)
	require.NoError(t, err)
	return p
}
