// Package udf keeps the functions of Hive and Spark that DolphinScheduler 3.2 lists, with the file each is in. Nothing here
// runs them: SQL tasks name them, and clients of that version read and change the list.
//
// A function belongs to who made it; he and administrators change it, and whoever it is granted (kind UDF of package access)
// may use it.
package udf
