package boot

import (
	"context"
	"errors"

	"dorado/modules/access"
	"dorado/modules/flow/text"
	"dorado/modules/security/environment"
	"dorado/modules/workflow"
)

// names tells texts of workflows what other modules call their things. What somebody may not see has no name.
type names struct{ environments *environment.Service }

var _ workflow.Lookup = names{}

// Name returns the name of an environment.
func (n names) Name(ctx context.Context, kind text.Kind, code int64) (string, error) {
	if kind != text.Environment {
		return "", nil
	}
	e, err := n.environments.ByCode(ctx, code)
	return e.Name, unnamed(err)
}

// Code returns the code of an environment.
func (n names) Code(ctx context.Context, kind text.Kind, name string) (int64, error) {
	if kind != text.Environment {
		return 0, nil
	}
	all, err := n.environments.All(ctx)
	for _, e := range all {
		if e.Name == name {
			return e.Code, nil
		}
	}
	return 0, unnamed(err)
}

func unnamed(err error) error {
	if errors.Is(err, environment.ErrNotFound) || errors.Is(err, access.ErrDenied) {
		return nil
	}
	return err
}
