// Package chunjun is the CHUNJUN task: a job of ChunJun, which was called FlinkX.
package chunjun
