package project

import (
	"net/http"
	"strconv"
	"strings"

	"dorado/app/kit/i18n"
	"dorado/app/kit/web"
	"dorado/modules/access"
	"dorado/views/components"
	view "dorado/views/project"
)

func (p *pages) members(r *http.Request) (web.Response, error) {
	found, err := p.required(r, Read)
	if err != nil {
		return nil, err
	}
	return p.membersPage(r, found, nil)
}

func (p *pages) setMember(r *http.Request) (web.Response, error) {
	found, err := p.required(r, Members)
	if err != nil {
		return nil, err
	}
	f := web.ReadForm(r)
	err = p.svc.SetMember(r.Context(), found.Code, f.Text("user"), f.Text("role"))
	if f.Rejects(err) {
		return p.membersPage(r, found, f)
	}
	if err != nil {
		return nil, err
	}
	return web.Redirect(Address(found.Code, "/members")).Toast("project.member_saved", "name", f.Text("user")), nil
}

func (p *pages) removeMember(r *http.Request) (web.Response, error) {
	found, err := p.required(r, Members)
	if err != nil {
		return nil, err
	}
	user, err := web.ID(r)
	if err != nil {
		return nil, err
	}
	if err := p.svc.RemoveMember(r.Context(), found.Code, user); err != nil {
		return nil, err
	}
	return web.Redirect(Address(found.Code, "/members")).Toast("project.member_removed"), nil
}

func (p *pages) membersPage(r *http.Request, of Project, f *web.Form) (web.Response, error) {
	ctx := r.Context()
	members, err := p.svc.Members(ctx, of.Code)
	if err != nil {
		return nil, err
	}
	v := view.MembersPage{
		Shell: p.frame.InProject(r, Ref(of), i18n.T(ctx, "project.members")), OwnerName: of.OwnerName, Role: string(access.Read),
		Error: f.Notice(), Errors: f.Errors(), Path: Address(of.Code, "/members"), Total: len(members),
	}
	may := p.svc.Can(ctx, of.Code, Members)
	if may {
		people, err := p.svc.Candidates(ctx, of.Code)
		if err != nil {
			return nil, err
		}
		for _, someone := range people {
			v.People = append(v.People, someone.Name)
		}
		v.Action = Address(of.Code, "/members")
	}
	if f != nil {
		v.User, v.Role = f.Text("user"), f.Text("role")
	}
	for _, role := range []access.Role{access.Read, access.Operate, access.All, access.Owner} {
		v.Roles = append(v.Roles, components.Option{
			Value: string(role), Label: i18n.T(ctx, "project.role."+string(role)), Hint: i18n.T(ctx, "project.role_hint."+string(role)),
		})
	}
	v.Search = strings.TrimSpace(r.URL.Query().Get("q"))
	for _, m := range members {
		if !strings.Contains(strings.ToLower(m.Name), strings.ToLower(v.Search)) {
			continue
		}
		row := view.MemberRow{
			Name: m.Name, Role: roleName(ctx, m.Role), RoleHint: i18n.T(ctx, "project.role_hint."+string(m.Role)), Value: string(m.Role),
			Owner: m.Role == access.Owner, Disabled: !m.IsEnabled, Since: m.Since,
		}
		if may && !row.Owner {
			row.RemoveURL = Address(of.Code, "/members/"+strconv.FormatInt(m.UserID, 10)+"/delete")
		}
		v.Rows = append(v.Rows, row)
	}
	return f.Again(view.Members(v)), nil
}
