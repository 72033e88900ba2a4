// @ts-check
/** A field that shows what is chosen and opens a searchable list, for choices too many for a select. */
import { h, icon, uid } from './dom.js';
import { picker } from './palette.js';

/** @typedef {import('./palette.js').Found} Found */

const AGAIN = 250; // ms

/**
 * @param {{host: HTMLElement, id?: string, test: string, label: string, placeholder: string, text: string, disabled: boolean, missing?: boolean,
 *   find(query: string): Found[] | Promise<Found[]>, choose(key: string): void}} opt
 * @returns {HTMLButtonElement & {say(text: string, missing?: boolean): void}}
 */
export function combo(opt) {
  const id = opt.id ?? uid('combo');
  const shown = h('span.grow', null);
  let closed = 0;
  const el = h('button.input.dag-combo', {
    id, type: 'button', 'aria-haspopup': 'listbox', 'aria-expanded': 'false', 'aria-label': opt.label, 'data-test': opt.test, disabled: opt.disabled,
    onclick: (/** @type {MouseEvent} */ e) => {
      if (!e.detail && performance.now() - closed < AGAIN) return; // the key that chose is still down
      const r = el.getBoundingClientRect();
      el.setAttribute('aria-expanded', 'true');
      picker({
        host: opt.host, x: r.left, y: r.bottom + 2, label: opt.label, placeholder: opt.placeholder, test: opt.test, find: opt.find, choose: opt.choose,
        closed: () => {
          el.setAttribute('aria-expanded', 'false');
          closed = performance.now();
          if (el.isConnected) el.focus({ preventScroll: true });
        },
      });
    },
  }, shown, icon('down'));
  el.say = (/** @type {string} */ text, missing = false) => {
    shown.textContent = text || opt.placeholder;
    el.setAttribute('aria-label', text ? `${opt.label}: ${text}` : opt.label);
    el.toggleAttribute('data-empty', !text);
    el.toggleAttribute('data-missing', missing);
    el.title = text;
  };
  el.say(opt.text, opt.missing);
  return el;
}
