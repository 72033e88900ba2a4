// Package config is what an operator may set: one structure composed of each module's own Config, filled from defaults,
// a YAML file, DORADO_* variables and flags, each overriding the one before. dorado.yaml, beside this file, names every
// key with its default and a sentence; a test keeps the two equal.
package config
