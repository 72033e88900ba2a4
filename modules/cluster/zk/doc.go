// Package zk is the registry over ZooKeeper.
//
// A registry has one session at a time. A session that is lost is given up for good: what was held through it is lost
// with it, its connection is closed, and a new session begins.
//
//	connecting ──first answer through the leader, namespace is ours──> live ──lease over, expired, closed──> lost
//	    ^  └── no server: tried again for ever, on all servers in turn, with jitter                            │
//	    └──────────────────────────────────────────────────────────────────────────────────────────────────────┘
//
// # The lease
//
// ZooKeeper ends a session that its leader has not heard of for the negotiated timeout T. A client must know that before
// anybody else does. Reads prove nothing: a server that is cut off from its leader still answers them. So each T/12 the
// registry sends a sync, which only the leader answers, and only for a session that lives. The lease ends 2T/3 after the
// moment at which the latest answered sync was sent. The leader's latest news of the session may be older than that
// sync by T/12 (the sync before) and half a tick (in which a follower collects what it has heard); T is two ticks at
// least, so T/12 + T/4 = T/3, and the lease ends before the session in every case. All times are measured on the
// monotonic clock; a machine that sleeps altogether wakes up with a broken connection and is stopped by the epochs of
// its rows at the latest (modules/engine).
//
// # What goes wrong
//
//	no server, at start or later   one warning, then one each 30 s; everything waits
//	the server is silent for T/4   another server is tried, the session stays
//	the lease is over              Membership.Lost, Lock.Lost; a new session
//	a node of ours is deleted      created again within a second; a lock is lost
//	a node of ours is overwritten  written again within a second
//	a node of ours is another's    Membership.Lost
//	garbage in another's node      Node.Garbage
//	an event that never comes      a scan each 30 s finds it
//	a node of an earlier process   Join waits until its session ends
//	another cluster's namespace    ErrForeign, from everything
//	wrong password, no rights      ErrRefused, from everything
//	SASL (Kerberos) demanded       ErrRefused: the client library cannot do it
package zk
