// Package engine is the master: it takes commands, decides what runs next, and gives tasks to workers.
//
//	command rows -> intake -> shard (core.Run) -> committer -> database
//	                            ^      |              |
//	        reports, timers ----+      +-- fleet --> outbox -> worker      (effects, after the commit)
//
// An event reaches the shard that owns its run. The shard lets the pure core decide, takes slots on workers for what
// became ready, and queues one change. The committer merges the changes of all runs that wait at that moment into one
// transaction, and only after that are tasks sent, kills sent and reports acknowledged. So a chain costs one commit per
// hop (the end of A and the start of B are one change), a wide graph costs few, and nothing a worker was told is unknown
// to the database.
//
// Beside the way of an ordinary attempt:
//
//	waits for its task group   taskGroups: who waits and who has a slot are rows, written with the attempts they are about
//	may have an earlier result logic.look: asked before a slot is taken
//	needs no worker            logic: a small state machine in a map; it costs a goroutine only while it does something
//	must not overlap           serial: the queue in the database, one pass over a workflow's rows at a time
//	people are to be told      rows of alert in the change that they tell of, sent by modules/alert afterwards
//	somebody waits for the end followers, after the commit; each of them also looks for itself from time to time
//
// With many masters, each run has one owner; what makes that certain is rows (docs/adr/0016), and what workers hold is
// claimed from them (docs/adr/0017):
//
//	members    who else lives, which commands are whose, whether this master is overloaded; take-over from who is gone
//	term       all that is known in memory belongs to one time in office; it ends with the lease, and another one begins
//	fleet      slots shared with other masters; who is away, who is gone for good, who was asked and has not answered
//	strays     what workers say of attempts of runs that are not this master's
//	spread     ends of runs, told to those who wait for them on other masters
//
// What happens on failure:
//
//	this process dies           another master, or its next start, takes its runs over: each waits as FAILOVER for whoever claims
//	                            it, is rebuilt from its rows (core.Adopt) and goes on; workers are asked for what they hold
//	the lease is lost           the term ends: nothing is sent any more, and a new one begins under a fresh epoch
//	a worker dies               its stream is closed and its node goes: its attempts begin again elsewhere. One that is cut off
//	                            keeps them until its grace is over; without a registry, until worker-timeout is
//	a stream breaks             the worker dials again, says what it holds and repeats what was not acknowledged
//	the database goes away      saves are tried again until it is back; nothing is sent or acknowledged meanwhile, and no new
//	                            runs are taken
//	another master takes over   it removes this one's row of master; this one's next save finds no fence row, writes nothing,
//	                            and the term ends (without a cluster, the process)
//	a change cannot be written  it alone is given up, and its run fails with the reason
package engine
