// @ts-check
/**
 * Texts of the page: the server puts all `js.*` messages of the viewer's language into
 * `<script type="application/json" id="messages">`.
 */

/** @type {Record<string, string> | null} */
let table = null;

function load() {
  if (table) return table;
  const block = typeof document === 'undefined' ? null : document.getElementById('messages');
  try {
    table = block ? JSON.parse(block.textContent ?? '{}') : {};
  } catch {
    table = {};
  }
  return /** @type {Record<string, string>} */ (table);
}

/**
 * The text of a key with its named arguments filled in. With a numeric `count` the plural form (`key.one`, `key.other`)
 * is taken. An unknown key answers itself, so that a gap is visible and nothing breaks.
 * @param {string} key
 * @param {Record<string, string | number>} [args]
 * @returns {string}
 */
export function t(key, args) {
  const all = load();
  let text = all[key];
  if (args && typeof args.count === 'number') {
    const lang = typeof document === 'undefined' ? 'en' : document.documentElement.lang || 'en';
    text = all[`${key}.${new Intl.PluralRules(lang).select(args.count)}`] ?? all[`${key}.other`] ?? text;
  }
  if (text === undefined) return key;
  return args ? text.replace(/\{(\w+)\}/g, (whole, name) => (name in args ? String(args[name]) : whole)) : text;
}

/** Replace the table; for tests. @param {Record<string, string>} messages */
export function setMessages(messages) {
  table = messages;
}
