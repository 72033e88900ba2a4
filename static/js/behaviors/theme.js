// @ts-check
/**
 * The theme switch: shown at once, saved by the form without leaving the page.
 * @param {HTMLElement} el
 */
export function theme(el) {
  const form = /** @type {HTMLFormElement} */ (el);
  form.addEventListener('submit', async (e) => {
    const button = /** @type {HTMLButtonElement | null} */ (e.submitter);
    if (!button) return;
    e.preventDefault();
    const root = document.documentElement;
    if (button.value) root.dataset.theme = button.value;
    else delete root.dataset.theme;
    for (const b of form.querySelectorAll('button')) b.setAttribute('aria-pressed', String(b === button));
    document.dispatchEvent(new CustomEvent('themechange'));
    try {
      await fetch(form.action, { method: 'POST', body: new URLSearchParams([...new FormData(form, button)].map(([k, v]) => [k, String(v)])), redirect: 'manual' });
    } catch {
      // The choice holds for this page; the next one asks the server.
    }
  });
}
