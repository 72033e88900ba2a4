// Package monitor shows how the cluster is: its masters, workers and alert servers as the registry has them, the
// database, what waits and what runs where, and what happened to whom.
//
// It keeps no state of its own but two tables: node_sample, one figure of each node a minute for a day (Sampler, which
// one process runs), and worker_setting, what administrators want of a worker (drain). Everything else is read where it
// is: nodes in the registry, queues and commands in the tables of the engine, events in cluster_event. So the pages of
// every process with pages say the same, whichever of them one asks, and they work while no master does.
//
// Everybody who is signed in sees the health of the cluster; runs and commands only those of his projects. The registry
// tree as a whole, draining and the failed commands' actions are for administrators.
package monitor
