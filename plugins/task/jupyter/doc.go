// Package jupyter is the JUPYTER task: a notebook, run with papermill.
package jupyter
