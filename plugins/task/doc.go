// Package task is what a task plugin is: a value that describes one type of task and says how to run it.
//
// There are two ways to run. A plugin with Process turns settings into a Command, and the executor owns everything about
// the child: user, directory, log file, waiting, killing. A plugin with Run works inside the worker (a database query, an
// HTTP call) until it is done or its context ends. A plugin has exactly one of the two.
//
// A plugin must not start goroutines that outlive its call, must not read the worker's environment, and must put no
// secret where other users of the machine can read it: not in Command.Args, not in the name of a file.
package task
