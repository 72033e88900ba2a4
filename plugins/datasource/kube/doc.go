// Package kube talks to a Kubernetes cluster as far as Dorado needs it, over plain HTTPS and without the large client.
//
// It reads a kubeconfig that a user has typed, so it takes only what stands in the text itself: entries that name files of
// this machine, run programs (exec), or ask other services for tokens (auth-provider) are refused and named.
package kube
