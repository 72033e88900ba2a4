// Package dvc is the DVC task: data with versions, kept by DVC in a git repository.
package dvc
