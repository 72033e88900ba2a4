// Package storage is what a storage plugin is: a place outside the process that keeps files under keys, shared by every
// master and worker. Task logs lie there after their end, so that they can be read when the worker is gone; resources
// follow the same interface.
//
// A key is a relative path with slashes, in UTF-8: "logs/20261122/7/1/12/345.log". A key that ends in a slash names a
// folder. Stores differ in what a folder is: a file system has real ones, an object store has only longer and shorter
// keys. What all of them promise: a folder is listed when MakeDir made it or when something lies below it, and it is gone
// when it was made by nobody and nothing lies below it any more, or when Delete removed it while it was empty. (A file
// system may keep an empty folder that came with a file, until Delete is called for the folder.)
//
// Every store passes the suite in storagetest.
package storage
