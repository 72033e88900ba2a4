// Package describe is the description of the REST interface as data: one table of every endpoint, from which the OpenAPI
// document, the pages about the interface and the test of who may do what are made.
//
// The table is the folder table, one file a group of endpoints; schemas.yaml holds what answers and bodies are made of,
// pages.yaml who may open which page. An endpoint is one entry:
//
//   - call: POST /tenants
//     en: Create a tenant
//     zh: 创建租户
//     who: admin
//     form: tenantCode*:str queueId*:int description:str
//     ok: 201 Tenant
//     codes: [30001, 10001, 10009, 10084]
//
// Parameters are words: name, a star when it must be sent, type, and "=" with the default. path, query, form (the body; the
// query is accepted, too), multipart and json say where they are. body is the type of a JSON body that is no list of
// parameters. ok is the HTTP status and the type of data: a schema, [X], Page<X>, map<X>, {name:type …}, a constant; "bare
// X" has no envelope, "file TYPE" is a download, "empty" and "redirect" are what they say. codes are the codes of failures,
// the wrapper code last. ours marks what DolphinScheduler does not have; since "3.2" what only its older line has.
//
// A word has its older spelling (process-definition for workflow-definition) by itself: see package dsapi.
//
// Who serves a new endpoint adds its entry. Tests of package boot fail for a route without one.
package describe
