// Package local keeps files in a folder. In a cluster the folder is one that every master and worker has mounted.
//
// A file appears under its key by a rename, after all of it is on the disk. The kernel refuses every way out of the
// folder, symbolic links included.
package local
