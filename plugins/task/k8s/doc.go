// Package k8s is the K8S task: a container that runs to its end as a Job of a Kubernetes cluster.
//
// Run makes the Job known (Env.Keep) before it creates it, so that whoever takes over after a lost worker finds it. From
// then on three things go on at once: the Job is watched, its Pods are watched for what keeps them from starting, and the
// log of the container is followed.
//
//	list ──► watch from its version ──► the stream ends, breaks, or holds something that is no event
//	 ▲                                                     │
//	 └──────────────── a pause, then anew ◄────────────────┘
//
// There is no other way back into a broken watch: what was missed is in the next list, and a version that the server has
// forgotten (410) needs the list anyway.
//
// The client is plain HTTP and a few structs. The usual library would add six megabytes and some thirty modules, and would read
// files and start programs that a kubeconfig names; here a kubeconfig that needs either is refused (plugins/datasource/kube).
package k8s
