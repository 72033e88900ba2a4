// Package boot is the composition root: the only package that knows every constructor. core.go opens what everything
// stands on (data folder, log, database), modules.go builds the modules in layer order, by hand, server.go the listener
// and the order of middleware, and modes.go says which services a mode runs and in which order they start and stop.
// layers.go is the order itself, as data.
package boot
