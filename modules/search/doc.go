// Package search finds things by their name over everything that whoever acts may see: pages, projects, workflows, tasks,
// runs, files, data sources, users. Ctrl K in the head of each page asks it while one types; without scripts its page does.
//
// It has no index of its own. Each kind is a Source, which asks the module whose noun it is, and so shows nothing that
// module would not show; a source that whoever acts may not use at all is left out. Sources are asked side by side, each
// for a bounded number of rows, and what they find is put in order here: the whole name first, then its beginning, the
// beginning of one of its words, any part of it.
package search
