// Package spark is the SPARK task: spark-submit with a program, or spark-sql with a text.
package spark
