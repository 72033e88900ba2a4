// Package sqoop is the SQOOP task: data between a database and Hive or HDFS, or any script that calls sqoop.
package sqoop
