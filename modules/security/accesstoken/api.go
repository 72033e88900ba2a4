package accesstoken

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/fault"
	"dorado/app/kit/listing"
	"dorado/app/kit/secret"
	"dorado/app/kit/web/dsapi"
	"dorado/modules/access"
	"dorado/modules/identity"
)

// API adds the REST endpoints.
func (m *Module) API(r chi.Router) {
	e := m.rest.Faults(dsapi.Faults{identity.ErrToken.Key: 70015, identity.ErrNotFound.Key: 10010})
	r.Post("/access-tokens", e.Created(70010, m.createREST))
	r.Post("/access-tokens/generate", e.Created(70011, generateREST))
	r.Get("/access-tokens", e.OK(70012, m.pageREST))
	r.Get("/access-tokens/user/{userId}", e.OK(70016, m.ofUserREST))
	r.Put("/access-tokens/{id}", e.OK(70013, m.updateREST))
	r.Delete("/access-tokens/{id}", e.OK(70014, m.deleteREST))
	r.Post("/v2/access-tokens", e.Created(70010, m.createV2))
}

// dsToken is a token as clients know it. Its text is there when it was just made
// or sent; later only its last characters are known.
type dsToken struct {
	ID         int64      `json:"id"`
	UserID     int64      `json:"userId"`
	Token      string     `json:"token"`
	ExpireTime dsapi.Time `json:"expireTime"`
	CreateTime dsapi.Time `json:"createTime"`
	UpdateTime dsapi.Time `json:"updateTime"`
	UserName   *string    `json:"userName"`
}

func toDS(t identity.Token) dsToken {
	return dsToken{
		ID: t.ID, UserID: t.UserID, Token: "****************************" + t.Hint, ExpireTime: dsapi.Time(t.ExpiresAt),
		CreateTime: dsapi.Time(t.CreatedAt), UpdateTime: dsapi.Time(t.UpdatedAt), UserName: dsapi.OrNull(t.UserName),
	}
}

func draft(p *dsapi.Params) (identity.TokenDraft, error) {
	d := identity.TokenDraft{
		UserID: p.RequiredInt64("userId"), ExpiresAt: p.RequiredTime("expireTime"), Value: secret.String(p.Text("token")),
		Name: p.Text("name"), Scope: identity.ParseScope(p.Text("scope")), // ours; DolphinScheduler's clients send neither
	}
	return d, p.Err()
}

func (m *Module) createREST(r *http.Request, p *dsapi.Params) (any, error) {
	d, err := draft(p)
	if err != nil {
		return nil, err
	}
	return m.make(r, d)
}

func (m *Module) createV2(r *http.Request, p *dsapi.Params) (any, error) {
	var b struct {
		UserID     int64  `json:"userId"`
		ExpireTime string `json:"expireTime"`
		Token      string `json:"token"`
		Name       string `json:"name"`
		Scope      string `json:"scope"`
	}
	if err := p.JSON(&b); err != nil {
		return nil, err
	}
	at, err := dsapi.ParseTime(r.Context(), b.ExpireTime)
	if err != nil {
		return nil, &dsapi.ParamError{Name: "expireTime"}
	}
	return m.make(r, identity.TokenDraft{
		UserID: b.UserID, ExpiresAt: at, Value: secret.String(b.Token), Name: b.Name, Scope: identity.ParseScope(b.Scope),
	})
}

func (m *Module) make(r *http.Request, d identity.TokenDraft) (any, error) {
	for _, word := range m.access.BadScope(d.Scope) {
		return nil, fault.New(fault.Invalid, fault.KeyInvalid).OnField("scope", "identity.token.scope_word", "word", word)
	}
	t, value, err := m.identity.CreateToken(r.Context(), d)
	if err != nil {
		return nil, err
	}
	out := toDS(t)
	out.Token, out.UserName = value.Reveal(), nil
	return out, nil
}

// generateREST makes up a token for the client to send back; it stores nothing.
func generateREST(_ *http.Request, p *dsapi.Params) (any, error) {
	p.RequiredInt64("userId")
	p.RequiredTime("expireTime")
	if err := p.Err(); err != nil {
		return nil, err
	}
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return hex.EncodeToString(b), nil
}

func (m *Module) pageREST(r *http.Request, p *dsapi.Params) (any, error) {
	no, size := p.Paging()
	if err := p.Err(); err != nil {
		return nil, err
	}
	spec := identity.TokenSpec()
	spec.Search = []string{"u.name"}
	page, err := m.identity.ListTokens(r.Context(), listing.New(spec, no, size, p.Text("searchVal")), m.access.Can(r.Context(), identity.TokenManage))
	if err != nil {
		return nil, err
	}
	return dsapi.Listed(page, no, size, toDS), nil
}

// ofUserREST lists the tokens of one user; administrators get everybody's, as in
// DolphinScheduler.
func (m *Module) ofUserREST(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("userId")
	if err := p.Err(); err != nil {
		return nil, err
	}
	me, err := access.Must(r.Context())
	if err != nil {
		return nil, err
	}
	all := m.access.Can(r.Context(), identity.TokenManage)
	if !all && me.UserID != id {
		return nil, access.ErrDenied.With("permission", string(identity.TokenManage))
	}
	page, err := m.identity.ListTokens(r.Context(), listing.New(identity.TokenSpec(), 1, listing.MaxSize, ""), all)
	if err != nil {
		return nil, err
	}
	return listing.Map(page, toDS).Items, nil
}

func (m *Module) updateREST(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	d, err := draft(p)
	if err != nil {
		return nil, err
	}
	before, err := m.identity.GetToken(r.Context(), id)
	if err != nil {
		return nil, m.hidden(r, err)
	}
	if d.Name == "" {
		d.Name = before.Name // clients know no names
	}
	t, err := m.identity.UpdateToken(r.Context(), id, d)
	if err != nil {
		return nil, err
	}
	out := toDS(t)
	if d.Value != "" {
		out.Token = d.Value.Reveal()
	}
	return out, nil
}

// deleteREST answers false on success, as clients expect.
func (m *Module) deleteREST(r *http.Request, p *dsapi.Params) (any, error) {
	id := p.Path("id")
	if err := p.Err(); err != nil {
		return nil, err
	}
	if err := m.identity.DeleteToken(r.Context(), id); err != nil {
		return nil, m.hidden(r, err)
	}
	return false, nil
}

// hidden refuses general users what is not theirs, whether it exists or not, with the code that clients expect of them.
func (m *Module) hidden(r *http.Request, err error) error {
	if errors.Is(err, identity.ErrToken) && !m.access.Can(r.Context(), identity.TokenManage) {
		return access.ErrDenied.With("permission", string(identity.TokenManage))
	}
	return err
}
