// Package search finds things by their name over everything that whoever acts may see: pages, projects, workflows, tasks,
// runs, files, data sources, users. Ctrl K in the head of each page asks it while one types; without scripts its page does.
//
// It has no index of its own. Each kind is a Source, which asks the module whose noun it is, and so shows nothing that
// module would not show; a source that whoever acts may not use at all is left out. Sources are asked side by side, each
// for a bounded number of rows, and what they find is put in order here: the whole name first, then its beginning, the
// beginning of one of its words, any part of it.
//
// Latin letters also find names in Chinese characters that they spell (kit/pinyin): "dingdan" and "dd" find 订单. No database
// can ask that, so a Source reads names, a bounded number of those that are not ASCII and that whoever acts may see, and only
// when there is room behind what has the letters themselves.
//
// What one opened lately stands before all else, as far as it is called what one types. Pages of single things are remembered
// for each user on the server (Visits), a bounded number of them and only by their codes: each is looked up again whenever it
// is shown, so what was deleted, renamed or taken away from the user is so here, too.
package search
