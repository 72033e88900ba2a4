// Package trace hands finished traces to an OpenTelemetry collector, over OTLP with HTTP.
//
// Nothing is kept while something is under way: whoever knows the whole story at its end writes it down as a Trace, with
// ids that follow from the ids of the things (IDs), so that they can be told before anything was exported, and an export
// that happens twice says the same twice. Send never blocks: a collector that is slow or away costs traces, not work.
package trace
