// Package local is the registry of a single process, for standalone, for a cluster of one master without a registry, and
// for tests. A Hub is the tree; each Registry of it is a session of its own, as if it were another process.
package local
