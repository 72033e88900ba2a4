// Package linkis is the LINKIS task: a job for Linkis, submitted and followed with its command line.
package linkis
