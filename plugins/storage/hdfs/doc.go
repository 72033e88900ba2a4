// Package hdfs keeps files in Hadoop's file system.
//
// A file is written under a temporary name and renamed, so that readers see one whole content or the other; who reads a file
// reads it by its number, not by its name, so a replacement in between cannot mix the two. (HDFS removes the blocks of a file
// that was replaced within seconds: reading a large one may then end with an error, never with other content.)
//
// HDFS allows no colon in a name and keeps .snapshot and .reserved for itself, so these are written as in an address: %3A.
//
// The library has no deadlines, so connections have them: no request waits longer than a minute for a byte. What it cannot do:
// files with erasure coding cannot be written, router-based federation is not known.
package hdfs
