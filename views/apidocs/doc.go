// Package apidocs draws the pages about the REST interface: the list of endpoints, and one page for each.
package apidocs
