// Package grant is the page of what a user is granted (his role in each project, and the data sources, namespaces, worker
// groups and functions he may use) and the endpoints that grant objects.
//
// Grants lie in package access; the objects themselves lie in modules that boot hands in (SetOffer, SetProjects). What nobody
// offers cannot be granted, so that no grant waits for an object to come.
package grant
