// Package hivecli is the HIVECLI task: SQL for hive, or for beeline and a data source.
package hivecli
