// Package i18n turns message keys into sentences in the reader's language.
//
// Catalogues are flat JSON files, one per area and language, embedded from
// locales/<language>/<area>.json. A key starts with its area ("tenant.title").
// Arguments are named: "{name} was deleted". A plural message has the keys
// "<key>.one" and "<key>.other", chosen by the argument named count; Chinese
// has only ".other". Keys that start with "js." are the ones scripts may read.
//
// Locale and time zone travel in the request context, put there once by the web
// layer, so that templates need nothing but ctx:
//
//	{ i18n.T(ctx, "tenant.title") }
//	{ i18n.T(ctx, "tenant.deleted", "name", row.Name) }
//	{ i18n.T(ctx, "list.selected", "count", n) }
//
// The tests of this package fail on a key that one language lacks, on
// placeholders that differ, on a key that is asked for but not there, and on a
// key nobody uses.
package i18n
