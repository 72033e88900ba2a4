// Package sqlitefile opens files of SQLite that users name, on the machine on which it runs.
//
// A file must lie below a folder that the administrator of that machine allows, and nothing leads out of there: no "..", no
// link, no other name of the same file, no second database that a statement attaches, no extension, no journal that names
// other files. What belongs to the program itself is refused wherever it lies.
//
// One thing is not kept out: somebody who may write into an allowed folder, and replaces the file in the moment between the
// look at it and its opening. It is looked at again after it was opened, but who may do that should not be trusted less
// than those who use the data source.
package sqlitefile
