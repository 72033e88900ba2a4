// Package cluster is membership: which masters, workers and alert senders live, who of them holds a lock, and whether
// this process still counts as one of them.
//
// One interface, Registry, has three implementations, which pass one suite (clustertest): ZooKeeper (modules/cluster/zk),
// PostgreSQL (modules/cluster/pg) and a single process (modules/cluster/local). The tree is the one that tools of DolphinScheduler read:
//
//	/dolphinscheduler/nodes/master/<host:port>        ephemeral, the heartbeat as JSON
//	/dolphinscheduler/nodes/worker/<host:port>
//	/dolphinscheduler/nodes/alert-server/<host:port>
//	/dolphinscheduler/lock/<name>/…                   who waits for a lock; the first holds it
//	/dolphinscheduler/cluster-id                      persistent: which cluster the tree belongs to
//
// What a registry says is never what makes work happen once: rows with epochs are (modules/engine). A registry says early
// that somebody is gone, and lets those who are cut off stop before others take over.
package cluster
