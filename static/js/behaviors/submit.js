// @ts-check
/**
 * A form is sent once: while it is under way, and while the page that follows is, its button turns and does nothing.
 * @param {HTMLElement} el
 */
export function submitGuard(el) {
  const form = /** @type {HTMLFormElement} */ (el);
  /** @type {HTMLElement | null} */
  let button = null;
  const release = () => {
    form.removeAttribute('data-sending');
    button?.removeAttribute('aria-busy');
  };
  // The capture phase comes before htmx, which would send the form a second time.
  form.addEventListener(
    'submit',
    (e) => {
      if (form.hasAttribute('data-sending')) {
        e.preventDefault();
        e.stopImmediatePropagation();
        return;
      }
      button = /** @type {SubmitEvent} */ (e).submitter ?? form.querySelector('[type=submit]');
      form.setAttribute('data-sending', '');
      button?.setAttribute('aria-busy', 'true');
    },
    { capture: true },
  );
  form.addEventListener('htmx:finally:request', (e) => {
    if (!(/** @type {CustomEvent} */ (e).detail?.ctx?.hx?.redirect)) release();
  });
  // Whoever was asked about changes and stays can send the form again. The answer is known after this event only.
  addEventListener('beforeunload', (e) => setTimeout(() => e.defaultPrevented && release()));
  // Coming back by the history shows the page as it was left.
  addEventListener('pageshow', release);
}
