// Package tasktest is the suite that every task plugin passes: its description is complete and translated, its README
// shows its parameters, saved definitions keep loading, bad settings are named and never panic, secrets stay out of the
// process list, and the work itself does what the cases say and ends when it is told to.
package tasktest
