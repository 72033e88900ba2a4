// Package crud draws what all lists of named things have in common: a page with search, columns and a form for each
// row. A module says which columns and cells there are; it writes a template for the fields of its form only.
package crud
