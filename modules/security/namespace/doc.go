// Package namespace keeps the Kubernetes namespaces that tasks can run in: rows that say which namespaces of which cluster
// there are for whom. It makes nothing in a cluster.
//
// Administrators keep them; a user may use those he is granted (access.Namespace, by id). A grant goes with its namespace, a
// cluster stays while it has one, and a namespace while something names it (Referrer).
package namespace
