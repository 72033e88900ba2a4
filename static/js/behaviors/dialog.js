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
 * Marks a form that was changed, so that leaving asks first. What was sent and not accepted is as unsaved as before, be it in
 * this form or in the one that came in its place.
 * @param {HTMLElement} el
 */
export function dirty(el) {
  const mark = () => el.setAttribute('data-dirty', '');
  el.addEventListener('input', mark);
  el.addEventListener('change', mark);
  let unsaved = false;
  el.addEventListener('submit', () => {
    unsaved = el.hasAttribute('data-dirty');
    el.removeAttribute('data-dirty');
  });
  el.addEventListener('htmx:before:request', (e) => {
    if (e.target !== el) return;
    const host = el.parentElement;
    const { ctx } = /** @type {CustomEvent} */ (e).detail;
    const answered = (/** @type {Event} */ end) => {
      if (/** @type {CustomEvent} */ (end).detail?.ctx !== ctx) return;
      document.removeEventListener('htmx:finally:request', answered);
      if (!unsaved || (ctx.response && ctx.response.status < 400)) return;
      (el.isConnected ? el : host?.querySelector('form'))?.setAttribute('data-dirty', '');
    };
    document.addEventListener('htmx:finally:request', answered); // told to the document when this form is gone
  });
  addEventListener('beforeunload', (e) => {
    if (el.isConnected && el.hasAttribute('data-dirty')) e.preventDefault();
  });
}
