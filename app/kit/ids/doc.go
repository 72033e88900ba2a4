// Package ids makes identifiers: codes of definitions and secret tokens.
//
// A code is a number laid out like DolphinScheduler's, so that files and
// clients move between the two: milliseconds since 2021-01-01 in UTC+8, then
// five bits of machine, then a sequence of five bits. Codes of one Generator
// rise and never repeat. Two processes that hash to the same machine could make
// the same code in the same millisecond, so tables keep a unique constraint on
// code and whoever inserts tries again on that conflict.
//
// A token is 256 random bits; only its hash is stored.
package ids
