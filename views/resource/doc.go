// Package resource draws the resource center: the files of a tenant, and one
// file with its content, its revisions and the tasks that name it.
package resource
