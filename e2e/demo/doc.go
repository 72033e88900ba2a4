// Demo starts a whole cluster on this machine, gives it work, and lets whoever sits at the terminal kill any of it:
//
//	go run ./e2e/demo
//
// Three masters, three workers, PostgreSQL and three ZooKeeper servers run as ordinary processes in temporary folders; all
// of them end with Ctrl-C. PostgreSQL, ZooKeeper and Java come from the operating system's packages.
package main
