// @ts-check
import { iconHref } from '../messages.js';
/** Small helpers to build elements without HTML text, so that nothing a user typed is ever parsed. */

/**
 * `h('button.btn.sm', {type: 'button', onclick: fn, 'data-test': 'x'}, 'text', child)`; `on…` are listeners, `null` and
 * `false` leave an attribute out.
 * @param {string} what @param {Record<string, any> | null} [attrs] @param {...(Node | string | null | undefined | false)} children
 * @returns {any}
 */
export function h(what, attrs, ...children) {
  const [tag, ...classes] = what.split('.');
  const el = document.createElement(tag || 'div');
  if (classes.length) el.className = classes.join(' ');
  for (const [k, v] of Object.entries(attrs ?? {})) {
    if (v === null || v === undefined || v === false) continue;
    if (k.startsWith('on') && typeof v === 'function') el.addEventListener(k.slice(2), v);
    else if (k === 'value' || k === 'checked' || k === 'disabled' || k === 'indeterminate') /** @type {any} */ (el)[k] = v;
    else el.setAttribute(k, v === true ? '' : String(v));
  }
  for (const c of children) if (c) el.append(c);
  return el;
}

const SVG = 'http://www.w3.org/2000/svg';

/** @param {string} tag @param {Record<string, string>} [attrs] @returns {any} */
export function svg(tag, attrs = {}) {
  const el = document.createElementNS(SVG, tag);
  for (const [k, v] of Object.entries(attrs)) el.setAttribute(k, v);
  return el;
}

export { iconHref as iconRef };

/** @param {string} name @param {string} [more] further classes */
export function icon(name, more = '') {
  const el = svg('svg', { class: `i ${more}`.trim(), 'aria-hidden': 'true' });
  el.append(svg('use', { href: iconHref(name) }));
  return el;
}

/**
 * @param {string} label accessible name and tooltip @param {string} iconName @param {() => void} onclick
 * @param {Record<string, any>} [attrs] @param {string} [classes]
 */
export const iconButton = (label, iconName, onclick, attrs = {}, classes = '.ghost') =>
  h(`button.btn.icon.sm${classes}`, { type: 'button', 'aria-label': label, title: label, onclick, ...attrs }, icon(iconName));

let serial = 0;
/** An id nobody else on the page has. @param {string} [stem] */
export const uid = (stem = 'dag') => `${stem}-${++serial}`;
