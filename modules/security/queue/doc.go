// Package queue keeps the Yarn queues that tenants submit cluster jobs to.
//
// A queue has a name for people and a value for the cluster; both are unique. The
// queue "default" exists from the first start. Administrators change queues; a
// queue that something refers to cannot be deleted.
//
// Modules above that hold queue IDs implement Referrer and are given to the service
// by boot (AddReferrer), because this package cannot know them.
package queue
