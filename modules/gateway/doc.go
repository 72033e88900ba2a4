// Package gateway lets the Python SDK of DolphinScheduler (apache-dolphinscheduler on PyPI) put workflows here.
//
// The SDK does not speak REST. It calls some 25 methods of an object in the server through Py4J (package py4j). This package
// is that object, in both generations of its names and arguments.
//
// It has no rules of its own. Whoever shows the token of the gateway says for whom he works; a call then acts as that user
// (access.WithPrincipal), so that the roles of projects and the audit log hold as for REST. The few calls that make users,
// tenants and grants run with the rights of the program, as in DolphinScheduler: a script may make the user it works for.
// Administrators are never changed that way, and a user who was disabled stays so.
//
// Whoever knows the token can name any user. So the gateway is off by default, listens on this machine only, and does not
// serve other machines with the token that every SDK knows.
package gateway
