// Package remoteshell is the REMOTESHELL task: a shell script on another machine, over SSH.
//
// The script runs on its own there, in a session that does not end with the connection, and its log and exit code are files.
// The task only looks at them. So a broken connection, and even a worker that is lost, costs nothing but time: whoever knows
// the name of the remote work, its link, goes on looking where it left off.
//
//	prepare   the files are there, nothing runs; from now on the link means something
//	keep      the link is stored where it outlives this worker
//	start     the script runs; doing it again does nothing
//	follow    its log, from a byte on, until there is an exit code; again after each broken connection
//	clean     the files are gone
//	kill      instead of the last two, when the attempt is to end
//
// A link whose files are there but were never started is started by whoever attaches to it. One whose files are gone is a
// failure: the script has run, or the machine lost it, and running it a second time is for people to decide.
//
// The remote side is POSIX shell, in the folder remote.
package remoteshell
