// Package clustertest is what every registry must do: one suite for ZooKeeper, PostgreSQL and the registry of a single
// process. It also has a proxy that cuts connections as a network does.
package clustertest
