package workflow

import (
	"context"

	"dorado/app/kit/i18n"
)

// opLabel says in words what a colour says.
func opLabel(ctx context.Context, op string) string {
	switch op {
	case "added":
		return i18n.T(ctx, "versions.op.added")
	case "removed":
		return i18n.T(ctx, "versions.op.removed")
	case "changed":
		return i18n.T(ctx, "versions.op.changed")
	default:
		return ""
	}
}
