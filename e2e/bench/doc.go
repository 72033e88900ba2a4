// Command bench measures the product side by side with the bare machine.
//
//	go run ./e2e/bench [-only RE] [-db pg|sqlite] [-json FILE] [-long] [-tenant USER]
//
// A machine's speed wanders, so a number means something only as a ratio taken in one run. Each workload is therefore
// measured in pairs: the raw loop (a small Go program that starts the same shell, as the same user, with its own log
// file, in as many lanes, and does nothing else) and then the product, again and again; the ratio is the median of the
// pairs' ratios. CPU time of all processes concerned gives a second ratio that moves less when the machine is shared.
//
// Exactly once: every task appends its id to a file opened for appending. After a run the ids must be unique and
// complete and every row final; otherwise the run counts for nothing. Durability: the server's fsync settings are read
// back, and the variants B1k and B4k kill the process in the middle.
//
// Nothing here asserts an absolute time.
package main
