// Package tasklog reads task logs: pages of lines, searches, downloads, following. Workers read the files they write, and
// masters read what lies in the storage, by the same code, so a log looks the same wherever it comes from.
//
// Nothing is held in memory but the answer. Where lines begin is remembered for the logs that were asked for last, one
// offset for a thousand lines, so a page in the middle of a million lines costs one seek.
package tasklog
