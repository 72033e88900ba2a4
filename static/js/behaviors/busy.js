// @ts-check
/** Dims a list while it is loaded again, without hiding what it shows. */
export function busy() {
  /** @param {Event} e @param {boolean} on */
  const mark = (e, on) => {
    const ctx = /** @type {CustomEvent} */ (e).detail?.ctx;
    const target = ctx?.target;
    if (!(target instanceof HTMLElement) || target.id === 'dialog' || target === document.body || ctx.request?.method !== 'GET') return;
    target.classList.toggle('dimmed', on);
    target.setAttribute('aria-busy', String(on));
  };
  document.addEventListener('htmx:before:request', (e) => mark(e, true));
  document.addEventListener('htmx:finally:request', (e) => mark(e, false));
}
