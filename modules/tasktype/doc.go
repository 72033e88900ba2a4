// Package tasktype tells clients which types of tasks there are, by category, and keeps which of them each user marked as his
// favourites.
package tasktype
