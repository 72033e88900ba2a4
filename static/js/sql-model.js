// @ts-check
/**
 * What the page for statements computes: names as they stand in statements, rows as files, and what was asked before.
 * @typedef {(string | null)[]} Row  null is NULL
 * @typedef {{sql: string, at: number}} Asked
 */

/** How many statements a browser remembers for one data source. */
const REMEMBERED = 20;
/** Longer statements are not remembered. */
const LONGEST = 20_000;

/**
 * A name as it stands in a statement; the parts of a name with a schema are quoted each.
 * @param {string} name @param {string} quote @param {string} [database] where it is, when that has to be said
 */
export function reference(name, quote, database = '') {
  const parts = quote === '`' ? [name] : name.split('.');
  return (database ? [database, ...parts] : parts).map((p) => (/^[a-z_][a-z0-9_]*$/.test(p) ? p : quote + p.replaceAll(quote, quote + quote) + quote)).join('.');
}

/** Whether a spreadsheet would take the value for a formula. @param {string} text */
const formula = (text) => /^[=+\-@\t\r\n]/.test(text) && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);

/** Rows as a file for spreadsheets: NULL is nothing, an empty text is "". @param {Row[]} rows */
export function csv(rows) {
  const cell = (/** @type {string | null} */ v) => {
    if (v === null) return '';
    const text = formula(v) ? `'${v}` : v;
    return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `\uFEFF${rows.map((r) => r.map(cell).join(',')).join('\r\n')}\r\n`;
}

/** Rows to be pasted into a spreadsheet. @param {Row[]} rows */
export const tsv = (rows) => rows.map((r) => r.map((v) => (v ?? '').replace(/[\t\r\n]+/g, ' ')).join('\t')).join('\n');

/** What was asked, with one statement more: the newest first, each once. @param {Asked[]} list @param {string} sql @param {number} at @returns {Asked[]} */
export function remember(list, sql, at) {
  const text = sql.trim();
  if (!text || text.length > LONGEST) return list;
  return [{ sql: text, at }, ...list.filter((x) => x.sql !== text)].slice(0, REMEMBERED);
}

/** What was kept, or nothing when it is not what was written. @param {string | null} text @returns {Asked[]} */
export function remembered(text) {
  try {
    const list = JSON.parse(text ?? '[]');
    return Array.isArray(list) ? list.filter((x) => typeof x?.sql === 'string' && Number.isFinite(x?.at)).slice(0, REMEMBERED) : [];
  } catch {
    return [];
  }
}
