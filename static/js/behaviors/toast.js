// @ts-check
import { icon, t } from '../messages.js';

const icons = { success: 'circle-check', error: 'circle-alert', warning: 'warn', info: 'info' };

/**
 * One message. Success goes by itself; an error stays until it is dismissed.
 * @param {HTMLElement} el
 */
export function toast(el) {
  const leave = () => el.remove();
  el.querySelector('[data-dismiss]')?.addEventListener('click', leave);
  if (el.dataset.kind === 'error') return;
  let timer = setTimeout(leave, 6000);
  el.addEventListener('mouseenter', () => clearTimeout(timer));
  el.addEventListener('mouseleave', () => {
    timer = setTimeout(leave, 2500);
  });
}

/**
 * Shows a message.
 * @param {string} text
 * @param {keyof typeof icons} [kind]
 */
export function say(text, kind = 'success') {
  const region = document.getElementById('toasts');
  if (!region) return;
  const el = document.createElement('div');
  el.className = 'toast';
  el.dataset.kind = kind;
  el.dataset.behavior = 'toast';
  el.setAttribute('role', 'status');
  const words = document.createElement('span');
  words.className = 'grow';
  words.textContent = text;
  const close = document.createElement('button');
  close.className = 'btn ghost icon sm';
  close.type = 'button';
  close.dataset.dismiss = '';
  close.setAttribute('aria-label', t('js.dismiss'));
  close.append(icon('x'));
  el.append(icon(icons[kind]), words, close);
  region.append(el);
}

/** Messages the server sends along with an answer, and requests without an answer. */
export function watchRequests() {
  document.addEventListener('toast', (e) => {
    const { messages = [], kind } = /** @type {CustomEvent} */ (e).detail ?? {};
    for (const m of messages) say(String(m), kind);
  });
  document.addEventListener('htmx:error', (e) => {
    const ctx = /** @type {CustomEvent} */ (e).detail?.ctx;
    if (ctx && !ctx.response) say(t('js.network'), 'error');
  });
}
