// Package home is the page one lands on: what runs, what failed and how much there
// was, over all projects that one may see. It has no rows of its own; the counting is
// done by the modules whose nouns are counted.
package home
