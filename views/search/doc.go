// Package search draws what a search over everything found: a page, and the list below the box in the head.
package search
