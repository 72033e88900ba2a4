// @ts-check
/**
 * A form is sent once: while it is under way its button turns and does nothing.
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
  form.addEventListener('htmx:finally:request', release);
  // Coming back by the history shows the page as it was left.
  addEventListener('pageshow', release);
}
