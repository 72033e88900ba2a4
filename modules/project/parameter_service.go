package project

import (
	"context"
	"time"

	"dorado/modules/flow"
	"dorado/modules/security/crud"
)

// ParameterUsers knows where parameters are used: the module of workflows.
type ParameterUsers interface {
	// ParameterUses lists workflows of the project whose current version mentions ${name}, at most limit of them.
	ParameterUses(ctx context.Context, project int64, name string, limit int) ([]crud.Use, error)
}

// SetParameterUsers hands in what knows where parameters are used. It must not be called once requests are served.
func (s *Service) SetParameterUsers(u ParameterUsers) { s.parameterUsers = u }

// parameters keeps those of one project.
func (s *Service) parameters(project int64) *crud.Keeper[Parameter, ParameterDraft] {
	return &crud.Keeper[Parameter, ParameterDraft]{
		DB: s.DB, Audit: s.Audit, Now: s.Now, Noun: "parameter", Store: s.parameterStore(project),
		MayView: func(ctx context.Context, _ *Parameter) error {
			_, err := s.Require(ctx, project, Read)
			return err
		},
		MayChange: func(ctx context.Context, _ *Parameter) error {
			_, err := s.Require(ctx, project, EditSettings)
			return err
		},
		Check: func(_ context.Context, was *Parameter, d ParameterDraft) (ParameterDraft, error) {
			d = d.completed(was)
			if was != nil && was.Secret && !d.Secret && (d.Value == "" || d.Value == MaskedValue) {
				return d, ErrParameterReveal.OnField("value", ErrParameterReveal.Key)
			}
			return d, d.Validate()
		},
		Detail: func(was *Parameter, d ParameterDraft) any {
			if was == nil || !d.Secret || d.keep {
				return nil
			}
			return map[string]string{"value": "changed"} // which the states cannot tell
		},
		Changed: crud.TellMasters[Parameter](s.DB),
	}
}

func (s *Service) parameterStore(project int64) parameterStore {
	return parameterStore{s.DB, s.Codes, s.Sealer, project}
}

// Parameters lists those of a project by name, for whoever may see the project.
func (s *Service) Parameters(ctx context.Context, project int64) ([]Parameter, error) {
	if _, err := s.Require(ctx, project, Read); err != nil {
		return nil, err
	}
	return s.parameterStore(project).all(ctx)
}

// Properties are the parameters of a project as tasks resolve them; those that are secret have MaskedValue.
func (s *Service) Properties(ctx context.Context, project int64) ([]flow.Property, error) {
	list, err := s.Parameters(ctx, project)
	out := make([]flow.Property, len(list))
	for i, p := range list {
		out[i] = flow.Property{Prop: p.Name, Direct: flow.In, Type: p.Type, Value: p.Shown()}
	}
	return out, err
}

// Parameter returns one by its code, or ErrParameterNotFound.
func (s *Service) Parameter(ctx context.Context, project, code int64) (Parameter, error) {
	if _, err := s.Require(ctx, project, Read); err != nil {
		return Parameter{}, err
	}
	return s.parameterStore(project).byCode(ctx, code)
}

// CreateParameter adds a parameter. It returns field faults, ErrParameterTaken.
func (s *Service) CreateParameter(ctx context.Context, project int64, d ParameterDraft) (Parameter, error) {
	return s.parameters(project).Create(ctx, d)
}

// UpdateParameter changes a parameter, by its code, whatever it is now. It returns field faults, ErrParameterNotFound,
// ErrParameterTaken.
func (s *Service) UpdateParameter(ctx context.Context, project, code int64, d ParameterDraft) (Parameter, error) {
	p, err := s.Parameter(ctx, project, code)
	if err != nil {
		return p, err
	}
	return s.parameters(project).Update(ctx, p.ID, d, time.Time{})
}

// DeleteParameters removes parameters by their codes, all or none. It returns ErrParameterNone, ErrParameterNotFound.
func (s *Service) DeleteParameters(ctx context.Context, project int64, codes ...int64) error {
	if _, err := s.Require(ctx, project, EditSettings); err != nil {
		return err
	}
	if len(codes) == 0 {
		return ErrParameterNone
	}
	k := s.parameters(project)
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		for _, code := range codes {
			p, err := s.parameterStore(project).byCode(ctx, code)
			if err != nil {
				return err
			}
			if err := k.Delete(ctx, p.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// parameterUsesShown is how many workflows that use a parameter are named.
const parameterUsesShown = 50

// ParameterUses lists workflows that mention a parameter. Something nearer to a task may still have the same name.
func (s *Service) ParameterUses(ctx context.Context, p Parameter) ([]crud.Use, error) {
	if s.parameterUsers == nil {
		return nil, nil
	}
	return s.parameterUsers.ParameterUses(ctx, p.ProjectCode, p.Name, parameterUsesShown)
}
