// Package check decides whether a cluster kept its promises, from evidence alone: the lines that the tasks themselves wrote
// to a ledger outside the system, what clients were answered, the rows that are left in the database, and the history of
// the faults that were done to the processes. It asks the product nothing and imports nothing of it.
//
// What must hold:
//
//	lost       every accepted trigger has exactly one run, which ended; every task of a run that ended SUCCESS wrote an end
//	duplicate  no task has an effect twice, and no attempt starts twice
//	overlap    no two attempts of one task run at the same time
//	stuck      nothing is left to do: runs, attempts, commands, slots
//	schedule   each fire has exactly one run, and no second lacks its fire
//	serial     runs of a serial workflow never overlap
//	group      a task group never holds more than its size
//	state      the rows say what the ledger says
//
// A repetition is excused only by a fault of the worker that ran the attempt before, in the time in which it can have
// mattered; every excuse is named. Faults of masters, of ZooKeeper's servers and of the database excuse nothing.
package check
