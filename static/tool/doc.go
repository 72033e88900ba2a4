// Command tool copies and bundles the pinned npm packages into static/vendor.
//
// Run from the root of the repository after "npm ci":
//
//	go run ./static/tool           # rewrite static/vendor
//	go run ./static/tool -check    # rebuild in memory and compare byte for byte
//
// Building and running Dorado needs none of this: the result is committed.
package main
