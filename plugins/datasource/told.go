package datasource

import "context"

type toldKey struct{}

// WithTold makes drivers pass on what their server says about a statement while it runs, line by line. A driver whose server
// says nothing calls tell never.
func WithTold(ctx context.Context, tell func(line string)) context.Context {
	return context.WithValue(ctx, toldKey{}, tell)
}

// Told is where what a server says about a statement belongs; nil when nobody listens.
func Told(ctx context.Context) func(line string) {
	tell, _ := ctx.Value(toldKey{}).(func(line string))
	return tell
}
