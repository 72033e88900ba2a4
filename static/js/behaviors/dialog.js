// @ts-check
import { t } from '../messages.js';

const modal = () => /** @type {HTMLDialogElement | null} */ (document.getElementById('modal'));

/**
 * The dialog that forms are loaded into. It opens when something arrives in it,
 * closes on Escape when nothing was typed and asks first when something was; a
 * click beside it never closes it.
 * @param {HTMLElement} el
 */
export function dialog(el) {
  const box = /** @type {HTMLDialogElement} */ (el);
  const body = /** @type {HTMLElement} */ (box.querySelector('#dialog'));
  /** @type {Element | null} */
  let opener = null;

  document.addEventListener('htmx:before:request', (e) => {
    if (!box.open && e.target instanceof Element) opener = e.target;
  });
  new MutationObserver(() => {
    if (body.childElementCount && !box.open) box.showModal();
    if (body.childElementCount) focusFirst(body);
  }).observe(body, { childList: true });
  box.addEventListener('cancel', (e) => {
    if (e.target !== box) return;
    e.preventDefault();
    closeModal();
  });
  box.addEventListener('close', () => {
    body.replaceChildren();
    box.querySelector('#dialog-notice')?.replaceChildren();
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
  });
  document.addEventListener('close-dialog', () => box.close());
  document.addEventListener('htmx:after:request', (e) => {
    const ctx = /** @type {CustomEvent} */ (e).detail?.ctx;
    if (box.open && ctx?.hx?.location && box.contains(ctx.sourceElement)) box.close();
  });
}

/** @param {HTMLElement} body the first bad field, else the first field */
function focusFirst(body) {
  const field = body.querySelector(
    '[aria-invalid=true], [autofocus], .form-fields :is(input:not([type=hidden]), select, textarea):not(:disabled)',
  );
  const target = field ?? body.querySelector('.dialog-title');
  if (target instanceof HTMLElement) target.focus();
}

/** Closes the dialog, after asking when something was typed into it. */
export function closeModal() {
  const box = modal();
  if (!box?.open) return;
  if (box.querySelector('form[data-dirty]') && !window.confirm(t('js.dialog.discard'))) return;
  box.close();
}

/**
 * Cancel: closes the dialog it is in. On a page of its own it stays a link.
 * @param {HTMLElement} el
 */
export function dialogClose(el) {
  el.addEventListener('click', (e) => {
    if (!el.closest('dialog')) return;
    e.preventDefault();
    closeModal();
  });
}

/**
 * Marks a form that was changed, so that leaving asks first.
 * @param {HTMLElement} el
 */
export function dirty(el) {
  const mark = () => el.setAttribute('data-dirty', '');
  el.addEventListener('input', mark);
  el.addEventListener('change', mark);
  el.addEventListener('submit', () => el.removeAttribute('data-dirty'));
  addEventListener('beforeunload', (e) => {
    if (el.isConnected && el.hasAttribute('data-dirty')) e.preventDefault();
  });
}
