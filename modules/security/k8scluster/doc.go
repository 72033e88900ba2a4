// Package k8scluster keeps the Kubernetes clusters that namespaces are in and that tasks can run on.
//
// A cluster is a name and a kubeconfig. The kubeconfig holds credentials: it is sealed in the database, nobody reads it back
// in a page or over REST, and saving without one keeps the one there is. Clients of DolphinScheduler wrap it into
// {"k8s":"<kubeconfig>"}; what they get to see in its place is Masked, and sending that back changes nothing.
//
// Namespaces and tasks know a cluster by its code, which never changes. Modules that hold codes implement Referrer and are
// given to the service by boot.
package k8scluster
