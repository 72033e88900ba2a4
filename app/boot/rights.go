package boot

import (
	"context"
	"errors"
	"strconv"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/ids"
	"dorado/modules/access"
	"dorado/modules/audit"
	"dorado/modules/frame"
	"dorado/modules/project"
	"dorado/modules/security/grant"
	"dorado/modules/security/k8scluster"
	"dorado/modules/security/namespace"
	"dorado/modules/security/policy"
	"dorado/modules/security/workergroup"
	"dorado/modules/workflow"
)

// rights are the modules about who may do what, and about what is granted object by object.
type rights struct {
	clusters   *k8scluster.Module
	namespaces *namespace.Module
	policies   *policy.Module
	grants     *grant.Module
}

func rightsRules() []access.Rule { return append(k8scluster.Rules(), namespace.Rules()...) }

func (m *modules) newRights(c *core, log *audit.Service, codes *ids.Generator) {
	m.rights.clusters = k8scluster.New(k8scluster.Deps{
		DB: c.db, Access: m.access, Audit: log, Codes: codes, Sealer: c.sealer, Site: m.site, API: m.api, Frame: m.frame,
	})
	m.rights.namespaces = namespace.New(namespace.Deps{
		DB: c.db, Access: m.access, Audit: log, Codes: codes, Clusters: m.rights.clusters.Service, Site: m.site, API: m.api, Frame: m.frame,
	})
	m.rights.grants = grant.New(grant.Deps{DB: c.db, Access: m.access, Audit: log, Site: m.site, API: m.api, Frame: m.frame})
	m.rights.policies = policy.New(policy.Deps{DB: c.db, Access: m.access, Audit: log, Site: m.site, Frame: m.frame})
}

// referToRights tells the modules about rights what there is in those above them.
func (m *modules) referToRights(projects *project.Service, workflows *workflow.Service) {
	m.rights.policies.SetPlaces(places(projects, workflows))
	m.rights.grants.SetProjects(grant.Projects{
		All: func(ctx context.Context) ([]grant.Project, error) {
			rows, err := projects.All(ctx)
			out := make([]grant.Project, len(rows))
			for i, r := range rows {
				out[i] = grant.Project{Code: r.Code, Name: r.Name, Owner: r.OwnerName}
			}
			return out, err
		},
		Set: projects.SetMember, Remove: projects.RemoveMember,
	})
	m.rights.grants.SetOffer(access.DataSource, func(ctx context.Context) ([]grant.Object, error) {
		all, err := m.sources.All(ctx, "")
		out := make([]grant.Object, len(all))
		for i, d := range all {
			out[i] = grant.Object{Key: strconv.FormatInt(d.ID, 10), Name: d.Name, Note: d.Type}
		}
		return out, err
	})
	m.rights.grants.SetOffer(access.UDF, func(ctx context.Context) ([]grant.Object, error) {
		all, err := m.udfs.All(ctx, "")
		out := make([]grant.Object, len(all))
		for i, f := range all {
			out[i] = grant.Object{Key: strconv.FormatInt(f.ID, 10), Name: f.Name, Note: f.Type}
		}
		return out, err
	})
	m.rights.grants.SetOffer(access.Namespace, func(ctx context.Context) ([]grant.Object, error) {
		all, err := m.rights.namespaces.All(ctx)
		out := make([]grant.Object, len(all))
		for i, n := range all {
			out[i] = grant.Object{Key: n.Key(), Name: n.Name, Note: n.ClusterName}
		}
		return out, err
	})
	m.rights.grants.SetOffer(access.WorkerGroup, func(ctx context.Context) ([]grant.Object, error) {
		names, err := m.groups.Names(ctx)
		var out []grant.Object
		for _, name := range names {
			if name != workergroup.Default { // everybody's, always
				out = append(out, grant.Object{Key: name, Name: name})
			}
		}
		return out, err
	})
}

// places finds what rules are about.
func places(projects *project.Service, workflows *workflow.Service) policy.Places {
	return policy.Places{
		Projects: func(ctx context.Context) ([]policy.Place, error) {
			rows, err := projects.All(ctx)
			out := make([]policy.Place, len(rows))
			for i, r := range rows {
				out[i] = policy.Place{Code: r.Code, Name: r.Name}
			}
			return out, err
		},
		Workflow: func(ctx context.Context, in int64, text string) (policy.Place, bool, error) {
			if code, err := strconv.ParseInt(text, 10, 64); err == nil {
				w, err := workflows.In(ctx, in, code)
				if !errors.Is(err, workflow.ErrNotFound) {
					return policy.Place{Code: w.Code, Name: w.Name}, err == nil, err
				}
			}
			w, err := workflows.ByName(ctx, in, text)
			if errors.Is(err, workflow.ErrNotFound) {
				return policy.Place{}, false, nil
			}
			return policy.Place{Code: w.Code, Name: w.Name}, err == nil, err
		},
		Workflows: func(ctx context.Context, codes []int64) (map[int64]string, error) {
			out := make(map[int64]string, len(codes))
			for _, code := range codes {
				w, err := workflows.Get(ctx, code)
				if errors.Is(err, workflow.ErrNotFound) {
					continue
				}
				if err != nil {
					return nil, err
				}
				out[code] = w.Name
			}
			return out, nil
		},
	}
}

func (r rights) pages() []func(chi.Router) {
	return []func(chi.Router){r.clusters.Routes, r.namespaces.Routes, r.policies.Routes, r.grants.Routes}
}

func (r rights) calls() []func(chi.Router) {
	return []func(chi.Router){r.clusters.API, r.namespaces.API, r.grants.API}
}

func (r rights) menu() []frame.Entry {
	return append(append(r.clusters.Menu(), r.namespaces.Menu()...), r.policies.Menu()...)
}
