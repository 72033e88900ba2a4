// Package datasource draws the form of a data source.
package datasource
