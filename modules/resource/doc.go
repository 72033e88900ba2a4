// Package resource is the resource center: the files that tasks use.
//
// Every tenant has a tree. A file is named "<tenant>/<path>"; that is what
// definitions hold when they are compared, whatever store the files lie in and
// however a client of DolphinScheduler spells the name (see flow.ParseResource
// and Names).
//
// The tree is rows; contents are blobs in the storage, each under a key of its
// own that is written once and never changed. So renaming and moving are one
// transaction, a worker that fetches a file while somebody replaces it gets one
// whole revision, older revisions can be brought back, and a crash in the
// middle of an upload leaves nothing but a blob that the sweep removes.
//
// People see the tree of their tenant; administrators see all. Whoever sees a
// tree may change it. A file that the current version of a workflow names can
// be neither deleted nor renamed.
package resource
