// Package security draws the pages of the security center: lists, forms and the
// questions before deleting.
package security
