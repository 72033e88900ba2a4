// Package seatunnel is the SEATUNNEL task: a SeaTunnel job on its own engine, on Spark or on Flink.
package seatunnel
