// Package static embeds the style sheets, scripts, fonts and images and serves
// them under an address that contains the hash of the whole tree.
//
// Because the address changes whenever any file changes, answers may be cached
// for ever, and scripts may import each other by relative paths without an
// import map or a bundler. vendor/ is written by ./tool from pinned npm packages;
// vendor/vendor.json says what each file is, and a test compares the hashes.
package static
