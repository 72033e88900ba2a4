// Package home is the page one lands on: what runs, what failed and how much there
// was, over all projects that one may see; and the page behind the bell in the head:
// decisions that wait for one, and failed runs and streaming tasks that nobody has
// mended. It has no rows of its own; the counting is done by the modules whose nouns
// are counted.
package home
