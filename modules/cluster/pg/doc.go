// Package pg is the registry over the PostgreSQL database that masters have anyway, for those who want no ZooKeeper.
//
// The tree is the table registry_node; a row is ephemeral when it names a session, a row of registry_session with the
// time at which it ends. All times are the database's. A node whose session has ended is not there, whether or not
// somebody has swept it away.
//
//	each T/4     one statement: my session lasts another T; sessions that ended go, with their nodes; the paths are told
//	2T/3 silent  the lease is over: Membership.Lost, Lock.Lost, a new session; nobody else acts before T
//
// T runs from the moment the database wrote it, which is after the statement was sent, and the lease from the moment it
// was sent, so the lease ends first. Changes are told by NOTIFY (app/kit/db); all who watch also look each 30 seconds,
// and all who wait for a lock each second.
//
// A lock is a queue of rows below the lock's own row, numbered under its row lock; the first whose session lives holds
// the lock.
//
// Workers do not open the database. Masters register them (Relay) for as long as they hear of them.
package pg
