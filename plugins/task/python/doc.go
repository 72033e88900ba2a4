// Package python is the PYTHON task: a script for ${PYTHON_LAUNCHER}, python3 or python.
package python
