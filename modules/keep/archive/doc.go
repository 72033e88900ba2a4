// Package archive is the file that a backup is written to: a tar stream, packed by zstd, and encrypted by age when a
// passphrase is given. It knows rows and files, and nothing of databases.
//
// # Layout
//
//	dorado-backup.json            the Header: who wrote it, and the tables with their columns
//	tables/<table>/000001.jsonl   rows, one JSON array a line, in pieces of some megabytes
//	files/<kind>/<path>           files as they were
//	checksums/000001.jsonl        size and SHA-256 of up to a thousand members before it
//	manifest.json                 the last member: counts, and the SHA-256 of each list of checksums
//
// Tables stand in an order in which a row comes after those it refers to. Neither side holds more than one piece of
// a table and one list of checksums in memory, however long the file is.
//
// # Distrust
//
// Whoever reads a backup may have got it from anywhere. The reader accepts exactly what the writer writes: regular
// members with the names above in that order, rows of the announced width, numbers of bytes and members that add up,
// checksums that agree, nothing after the manifest. It gives up on names that leave their folder, and on a stream
// that unpacks to far more than task logs do. What it hands on while it reads is provisional until Read returns
// without an error: callers check a file once before they use anything of it.
package archive
