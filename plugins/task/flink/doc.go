// Package flink is the FLINK task: a program or SQL for Flink that ends.
package flink
