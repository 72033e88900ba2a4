// @ts-check
/**
 * Puts a popover beside its button and lets the arrow keys walk it.
 * @param {HTMLElement} el
 */
export function menu(el) {
  const button = () => /** @type {HTMLElement | null} */ (document.querySelector(`[popovertarget="${CSS.escape(el.id)}"]`));
  const items = () =>
    /** @type {HTMLElement[]} */ ([...el.querySelectorAll('a[href], button')]).filter((i) => i.offsetParent !== null);

  const place = () => {
    const anchor = button()?.getBoundingClientRect();
    if (!anchor) return;
    const box = el.getBoundingClientRect();
    const below = anchor.bottom + 4 + box.height <= innerHeight;
    const top = below ? anchor.bottom + 4 : Math.max(8, anchor.top - 4 - box.height);
    const left = anchor.right - box.width >= 8 ? anchor.right - box.width : anchor.left;
    el.style.top = `${top}px`;
    el.style.left = `${Math.max(8, Math.min(left, innerWidth - box.width - 8))}px`;
  };
  const hide = () => el.hidePopover();
  el.addEventListener('toggle', (e) => {
    const open = /** @type {ToggleEvent} */ (e).newState === 'open';
    button()?.setAttribute('aria-expanded', String(open));
    if (open) {
      place();
      addEventListener('scroll', hide, { capture: true, once: true });
      addEventListener('resize', place);
    } else {
      removeEventListener('scroll', hide, { capture: true });
      removeEventListener('resize', place);
    }
  });
  el.addEventListener('keydown', (e) => {
    const list = items();
    const at = list.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? list.length - 1 : at - 1, Home: 0, End: list.length - 1 }[e.key];
    if (next === undefined || !list.length) return;
    e.preventDefault();
    list[(next + list.length) % list.length]?.focus();
  });
  button()?.addEventListener('keydown', (e) => {
    if (e.key !== 'ArrowDown') return;
    e.preventDefault();
    el.showPopover();
    items()[0]?.focus();
  });
  el.addEventListener('click', (e) => {
    if (e.target instanceof Element && e.target.closest('a, form:not(.segments) button:not([aria-disabled=true])')) {
      queueMicrotask(() => el.matches(':popover-open') && el.hidePopover());
    }
  });
}
