package openid

import (
	"fmt"
	"slices"
	"strings"
)

// Person is who signed in at the provider.
type Person struct {
	ID    string // issuer and subject: the same person has the same for ever
	Name  string // as the provider calls him; any text, or empty
	Email string // empty when the provider says that it is not verified
	Admin bool   // meaningful when MapsAdmin
}

// person reads the claims and lets in only whom the configuration allows.
func (c *Client) person(subject string, all map[string]any) (Person, error) {
	groups := texts(claimAt(all, c.cfg.GroupsClaim))
	email, _ := claimAt(all, c.cfg.EmailClaim).(string)
	verified, said := verification(all["email_verified"])
	if len(c.cfg.AllowedDomains) > 0 {
		_, domain, _ := strings.Cut(email, "@")
		in := slices.ContainsFunc(c.cfg.AllowedDomains, func(d string) bool { return strings.EqualFold(d, domain) })
		if !verified || !in || strings.Count(email, "@") != 1 {
			return Person{}, fmt.Errorf("%w: no verified e-mail address of an allowed domain", ErrNotAllowed)
		}
	}
	if len(c.cfg.AllowedGroups) > 0 && !slices.ContainsFunc(c.cfg.AllowedGroups, func(g string) bool { return slices.Contains(groups, g) }) {
		return Person{}, fmt.Errorf("%w: in none of the allowed groups", ErrNotAllowed)
	}
	p := Person{ID: c.Subject(subject), Admin: c.cfg.AdminGroup != "" && slices.Contains(groups, c.cfg.AdminGroup)}
	p.Name, _ = claimAt(all, c.cfg.NameClaim).(string)
	if verified || !said {
		p.Email = email
	}
	return p, nil
}

// verification reads email_verified, which some providers send as text. said is false when there is none.
func verification(claim any) (verified, said bool) {
	switch v := claim.(type) {
	case bool:
		return v, true
	case string:
		return v == "true", true
	default:
		return false, false
	}
}

// claimAt is the claim with this name, or at the end of this path.
func claimAt(all map[string]any, name string) any {
	if name == "" {
		return nil
	}
	if v, ok := all[name]; ok {
		return v
	}
	first, rest, nested := strings.Cut(name, ".")
	if inner, ok := all[first].(map[string]any); ok && nested {
		return claimAt(inner, rest)
	}
	return nil
}

// texts is a claim that is a text or a list of texts.
func texts(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	default:
		return nil
	}
}
