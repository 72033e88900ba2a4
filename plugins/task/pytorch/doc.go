// Package pytorch is the PYTORCH task: a script for Python, from a folder or a git repository, in an environment of its own.
package pytorch
