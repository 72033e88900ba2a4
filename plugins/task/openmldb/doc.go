// Package openmldb is the OPENMLDB task: SQL for OpenMLDB, by its client for Python.
package openmldb
