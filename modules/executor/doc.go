// Package executor is the worker: it runs attempts of tasks and tells the masters what became of them. It has no database;
// everything an attempt needs travels in its Dispatch (modules/rpc).
//
// # The life of an attempt
//
//	           Dispatch                 a starter is free               process gone              Ack
//	(unknown) ---------> accepted ------------------------> running ------------------> finished -----> (unknown)
//	    |                   |  Kill: KILLED, never started     |  Kill, timeout: escalation
//	    | no slot, draining |                                  |  (kill.go), then the same way
//	    v                   v                                  |
//	 REFUSED             finished <----------------------------+--- anything that goes wrong on the way: FAILED
//
// A slot is taken from accepted to finished. At most Config.Starting attempts are being started at once, by as many
// goroutines; a running attempt costs one parked goroutine and one descriptor, no thread. STARTED is reported only for
// attempts that live for 20 ms; a shorter one reports FINISHED alone.
//
// # Reports
//
// Each master has an outbox: one goroutine that takes all waiting reports, appends them to the journal with one write and
// sends them in one frame. A FINISHED report is repeated after each reconnect until it is acknowledged. Reports go to the
// owner of the attempt, the master that dispatched or claimed it last, and only the owner's acknowledgement counts. An owner
// that goes away leaves its attempts to themselves: they run on, and their reports wait for it or for a claim. Ends that
// nobody claims for a minute are offered to all masters, one of which may know that the run is over.
//
// Who owns a run is settled by epochs: the worker remembers the highest it has seen of each run, also in the journal, and
// does not hear dispatches, claims and kills with a lower one.
//
// # The lease
//
// Boot says through SetLease whether masters still count on this worker (or SetLeaseByContact has it judge by their
// answers). Without a lease nothing is started. When it stays away for Config.LeaseGrace, whatever runs is ended: masters
// repeat it elsewhere a moment later.
//
//	holding --- lost closes ---> waiting --- grace over ---> ended
//	   ^                            |                          |
//	   +--------- SetLease ---------+--------------------------+
//
// # Upgrade in place
//
// Upgrade replaces the program and keeps the process, so that the children stay its children and their exit codes can be
// read by the next program:
//
//	refuse new work -> let starters get done -> freeze reaping and killing -> write the journal -> Handover into a memory
//	file -> exec -> Inherited -> open pidfds, go on waiting, killing, timing -> say Held under a new incarnation
//
// Up to the exec every step can be undone, and is when one fails. What masters say in the last milliseconds is lost with
// the streams; they repeat it once they have seen Held.
//
// # Failures
//
//   - The worker is killed (SIGKILL) or crashes. The journal survives in the page cache. At start, finished reports are
//     sent again; for each attempt that was running, what is left of its processes is found (session, descendants, and
//     the mark DORADO_MARK in their environment) and killed, and LOST is reported, so that no attempt runs
//     twice at the same time. An exit code of a former child can't be read, therefore nothing is adopted. The kernel's
//     parent-death signal is not used: it follows threads, not processes, reaches only the first child, and is cleared
//     when credentials change.
//   - The machine loses power. No process is left then. Reports that the master has not acknowledged within 100 ms are
//     made durable (fsync); a younger one is lost together with the attempt, which the master repeats.
//   - A master or the network goes away. Attempts run on; reports wait, on disk and in memory; the worker dials again
//     after 100 ms, 200 ms, … 2 s.
//   - Disk full, directories not writable, no more processes: the attempt FAILED, with one line that says why. A panic
//     while handling an attempt fails that attempt only.
//
// # Users
//
// An attempt runs as its tenant, an operating-system user. A privileged worker switches credentials directly; otherwise
// sudo -n does it. The working directory belongs to the tenant (0750), the log file to the worker (0640): the child gets
// its descriptor as standard output and error and writes it without the worker's help.
package executor
