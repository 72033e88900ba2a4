// @ts-check
/**
 * The side bar on a narrow screen. Without scripts the button is a link to it and
 * :target shows it.
 * @param {HTMLElement} side
 */
export function drawer(side) {
  const app = /** @type {HTMLElement} */ (side.closest('.app'));
  const set = (/** @type {boolean} */ open) => {
    app.dataset.drawer = open ? 'open' : 'closed';
    const to = open ? side.querySelector('a, button') : app.querySelector('[data-drawer=open]');
    if (to instanceof HTMLElement) to.focus();
  };
  document.addEventListener('click', (e) => {
    if (!(e.target instanceof Element)) return;
    const button = e.target.closest('a[data-drawer]');
    if (button instanceof HTMLElement) {
      e.preventDefault();
      set(button.dataset.drawer === 'open');
    } else if (app.dataset.drawer === 'open' && !side.contains(e.target)) {
      e.preventDefault();
      set(false);
    }
  });
  side.addEventListener('keydown', (e) => {
    if (e.key === 'Escape' && app.dataset.drawer === 'open') set(false);
  });
}
