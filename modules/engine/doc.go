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
//	people are to be told      rows of alert in the change that they tell of, sent by alertSender afterwards
//	somebody waits for the end followers, after the commit; each of them also looks for itself from time to time
//
// What happens on failure:
//
//	this process dies           the next start finds the unfinished instances, rebuilds each run from its rows (adopt) and
//	                            goes on; workers say which attempts they hold (reconcile)
//	a worker dies               its stream breaks: nothing new is sent to it; after worker-timeout its attempts are lost and
//	                            begin again elsewhere
//	a stream breaks             the worker dials again, says what it holds and repeats what was not acknowledged
//	the database goes away      saves are tried again until it is back; nothing is sent or acknowledged meanwhile
//	another master takes over   its register raises every other master's epoch; this one's next save finds no fence row,
//	                            writes nothing, and the process stops
//	a change cannot be written  it alone is given up, its run is dropped from memory and stays for the next start
package engine
