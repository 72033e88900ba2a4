// Package foreign lists the task types of DolphinScheduler that this version cannot run. Definitions that use one are
// saved, imported, exported, drawn and versioned without loss: their settings are kept as they are. A dry run passes such
// a task; a real one ends its attempt as a failure that says why.
//
// A type leaves the list when it gets a plugin of its own; the catalogue refuses a type that has two.
package foreign
