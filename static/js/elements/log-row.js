// @ts-check
/** One line of a log as an element. Text is only ever put in as text. */
import { t } from '../messages.js';
import { level, parse } from './ansi.js';

export const CUT = 10_000;
const STEP = 1_000_000;
const URLS = /https?:\/\/[^\s"'<>)\]}]+/g;

/** @returns {HTMLElement} an empty row to be reused */
export function emptyRow() {
  const row = document.createElement('div');
  row.className = 'log-row';
  const no = document.createElement('button');
  no.type = 'button';
  no.className = 'log-no';
  no.tabIndex = -1;
  const text = document.createElement('span');
  text.className = 'log-text';
  row.append(no, text);
  return row;
}

/**
 * @param {HTMLElement} row @param {number} n line number from 0 @param {string | undefined} line undefined: not loaded yet
 * @param {number} shown characters to show of a long line @param {() => void} more asked for the rest of it
 */
export function fillRow(row, n, line, shown, more) {
  const no = /** @type {HTMLElement} */ (row.firstElementChild);
  const text = /** @type {HTMLElement} */ (row.lastElementChild);
  no.textContent = String(n + 1);
  no.setAttribute('aria-label', t('js.log.line', { n: n + 1 }));
  row.dataset.line = String(n);
  text.replaceChildren();
  if (line === undefined) {
    row.dataset.level = 'missing';
    return;
  }
  row.dataset.level = level(line);
  const long = line.length > shown;
  for (const run of parse(long ? line.slice(0, shown) : line)) text.append(element(run));
  if (long) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'log-more';
    button.textContent = t('js.log.showAll', { n: (line.length - shown).toLocaleString(document.documentElement.lang || 'en') });
    button.addEventListener('click', more);
    text.append(button);
  }
}

/** How much of a long line to show after one more press. @param {number} shown */
export const moreOf = (shown) => (shown < STEP ? STEP : shown + STEP);

/** @param {import('./ansi.js').Run} run @returns {Node} */
function element(run) {
  const styled = run.fg || run.bg || run.bold || run.dim || run.italic || run.underline;
  if (!styled) return linked(run.text);
  const el = document.createElement('span');
  const classes = [];
  if (run.bold) classes.push('a-bold');
  if (run.dim) classes.push('a-dim');
  if (run.italic) classes.push('a-italic');
  if (run.underline) classes.push('a-underline');
  if (run.fg) run.fg[0] === '#' ? (el.style.color = run.fg) : classes.push(`a-fg-${run.fg}`);
  if (run.bg) run.bg[0] === '#' ? (el.style.backgroundColor = run.bg) : classes.push(`a-bg-${run.bg}`);
  el.className = classes.join(' ');
  el.append(linked(run.text));
  return el;
}

/** @param {string} text @returns {Node} */
function linked(text) {
  if (!text.includes('://')) return document.createTextNode(text);
  const out = document.createDocumentFragment();
  let at = 0;
  for (const m of text.matchAll(URLS)) {
    const url = m[0].replace(/[.,;:!?]+$/, '');
    const a = document.createElement('a');
    a.href = url;
    a.rel = 'noopener noreferrer';
    a.target = '_blank';
    a.textContent = url;
    out.append(text.slice(at, m.index), a);
    at = m.index + url.length;
  }
  out.append(text.slice(at));
  return out;
}
