// Package apidocs shows people and programs what the REST interface is: the OpenAPI documents at the addresses where
// DolphinScheduler has them, and pages with every endpoint, an example and a form to try it.
//
// It draws what package describe holds, and of that only what this program serves. The documents need no signing in, the
// pages do: trying an endpoint uses the session of whoever looks.
package apidocs
