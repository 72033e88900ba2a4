// Package flow is the language of workflows: definitions, graphs, parameters, states and what each may become.
//
// It is pure: no clock, no I/O, no goroutine. The engine, the API, the pages and the importers all speak it, so that a
// definition means the same thing everywhere. A definition is immutable once it has a version; instances of it name
// (code, version) and never see a later edit.
//
// What it offers, in the order of a definition's life: the lenient readers of client JSON (DecodeTasks and its
// siblings), Validate, Marshal and Equal for storage, Compile and Graph.Scope for running, Cure when an instance is
// created, Pool for values between tasks, Resolve and Expand for one attempt, OutScanner and CollectOut for what it
// emitted, FinalState for the end, and Allowed for what users may ask of an instance in between. Tasks that the engine
// carries out itself (KindOf) have readers of their own (DecodeConditions and its siblings); the language of SWITCH is in
// expr, the windows of DEPENDENT are in window.
//
// Numbers and words are those of Apache DolphinScheduler: a state, an enumeration value or a field that its clients
// know carries the same name here, in the database and on the pages.
package flow
