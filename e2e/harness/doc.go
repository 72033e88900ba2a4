// Package harness starts the product the way an operator does and talks to it the way a client does.
//
// It builds the binary once per test process, starts it with a data folder of its own on free loopback ports, starts a
// throw-away PostgreSQL server where one is wanted, and speaks the REST interface. It imports none of our packages: what
// it knows of the product is its command line and the published interface, so a test written with it fails exactly when
// somebody outside would notice.
//
// Its functions return errors instead of failing a test, because the benchmarks use them too. Everything that is started
// is stopped by its process id; nothing is stopped by name. On Linux it also ends with whoever started it, be that killed, so
// that what is measured next has the machine for itself. Tasks that a worker had under way live on, as they do without it.
package harness
