// Package project draws projects: the list, the overview of one, and its members.
package project
