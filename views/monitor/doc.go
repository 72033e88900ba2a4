// Package monitor draws the pages of the Monitor section: nodes, database, registry, queues, what runs, and events.
package monitor
