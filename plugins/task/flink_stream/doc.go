// Package flinkstream is the FLINK_STREAM task: a program or SQL for Flink that goes on until somebody ends it.
package flinkstream
