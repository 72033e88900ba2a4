// Package mr is the MR task: a MapReduce job, started with hadoop jar.
package mr
