package fault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/fault"
)

// masked stands for secret.String: a value that prints itself masked.
type masked string

func (masked) String() string { return "***" }

func TestDerivedFaultIsStillItsBaseError(t *testing.T) {
	t.Parallel()
	base := fault.New(fault.Conflict, "tenant.in_use")
	derived := fmt.Errorf("delete: %w", base.With("name", "etl").Because(errors.New("row 7")).OnField("code", "tenant.code"))

	require.ErrorIs(t, derived, base)
	require.NotErrorIs(t, derived, fault.New(fault.Conflict, "tenant.other"))
	require.NotErrorIs(t, derived, fault.New(fault.Invalid, "tenant.in_use"))
	require.Nil(t, base.Args, "deriving must not change the base")
	require.Empty(t, base.Fields)
}

func TestCauseIsReachableButNotInTheMessageOfUsers(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk on fire")
	f := fault.From(fmt.Errorf("save: %w", cause))

	require.Equal(t, fault.Internal, f.Kind)
	require.Equal(t, "fault.internal", f.Key)
	require.ErrorIs(t, f, cause)
	require.Empty(t, f.Args)
	require.Contains(t, f.Error(), "disk on fire", "logs need the cause")
}

func TestFromKeepsAFaultAndMapsEndedContexts(t *testing.T) {
	t.Parallel()
	f := fault.New(fault.NotFound, "user.not_found").With("id", 7)
	require.Same(t, f, fault.From(fmt.Errorf("x: %w", f)))
	require.Equal(t, fault.Unavailable, fault.KindOf(context.DeadlineExceeded))
	require.Nil(t, fault.From(nil))
}

func TestSecretArgumentsAreMasked(t *testing.T) {
	t.Parallel()
	f := fault.New(fault.Invalid, "x").With("password", masked("hunter2")).OnField("p", "y", "value", masked("hunter2"))
	require.NotContains(t, f.Error(), "hunter2")
	require.Contains(t, f.Error(), "***")
}

func TestPairsAreOrderedAndOddArgumentsSurvive(t *testing.T) {
	t.Parallel()
	f := fault.New(fault.Invalid, "x").With("b", 2, "a", 1, "c")
	require.Equal(t, []any{"a", 1, "b", 2, "c", nil}, f.Pairs())
}

func TestCollectorKeepsTheFirstMessageOfAField(t *testing.T) {
	t.Parallel()
	var c fault.Collector
	require.NoError(t, c.Err())
	c.Add("name", "user.name.required")
	c.Add("name", "user.name.length", "min", 3)
	c.Add("email", "user.email.format")

	f := fault.From(c.Err())
	require.Equal(t, fault.Invalid, f.Kind)
	require.Len(t, f.Fields, 2)
	require.Equal(t, "user.name.required", f.Fields[0].Key)
}

func TestEveryKindHasAName(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for k := fault.Internal; k <= fault.TooLarge; k++ {
		require.NotContains(t, k.String(), "kind ")
		seen[k.String()] = true
	}
	require.Len(t, seen, 9)
}
