// Package datax is the DATAX task: rows of one data source into a table of another, or any job that DataX understands.
package datax
