// Package webtest drives handlers like a browser would, without a network: it
// sends pages and forms through the same middleware as the server and reads what
// a person would see.
//
//	srv := webtest.Start(t, module.Routes)
//	admin := srv.As(func(ctx context.Context) context.Context { return access.WithPrincipal(ctx, admin) })
//	page := admin.Get("/security/tenants")
//	require.Equal(t, "etl", page.Text("tbody tr:first-child a.name"))
package webtest
