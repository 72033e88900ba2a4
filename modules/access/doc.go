// Package access decides who may do what.
//
// Who acts is the Principal in the context. What can be done are Permissions,
// constants of the modules that check them; each module tells by Rules which
// roles have them. A user holds roles in domains: "*" for the whole
// installation, "project:<code>" for one project.
//
//	role     domain            who
//	admin    *                 administrators: every declared permission, everywhere
//	user     *                 everybody who is signed in, without a grant
//	owner    project:<code>    made or was given the project
//	all      project:<code>    may change everything in it
//	operate  project:<code>    may run and repair, not edit
//	read     project:<code>    may look
//
// What no rule allows is denied, to administrators too when the permission was
// never declared: a forgotten declaration shows in the first test.
//
// Administrators add Policies to that: they allow or deny a permission, or a
// pattern of them, to a user, a role or everybody, in all projects, in one or for
// one workflow. A denial wins over everything, except that administrators cannot
// be denied anything, so that nobody locks himself out. The module of policies
// (modules/security/policy) writes them; Explain tells how they decide.
//
// A token may be limited to a Scope: permissions, patterns and projects. It takes
// away, also from administrators; it never gives.
//
// Objects that belong to no project (data sources, namespaces, worker groups) are
// granted one by one: GrantObjects, ObjectsOf.
//
// casbin makes the decisions from a snapshot of all grants and policies; decisions
// are remembered as long as the snapshot lives, so a check costs a map look-up and
// never waits for the database. What is remembered is bounded: projects without a
// role and workflows without a policy decide like all others of their kind. Every
// change renews the snapshot after the commit, here and, through PostgreSQL's
// notifications, in other processes; Run renews it every few seconds besides. A
// check within the transaction that grants does not see the grant yet.
package access
