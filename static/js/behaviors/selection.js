// @ts-check
import { t } from '../messages.js';

/**
 * Rows of a table that can be selected: the box in the head selects the page,
 * Shift selects a range, and the batch form shows how many there are.
 * @param {HTMLElement} table
 */
export function selection(table) {
  const rows = () => /** @type {HTMLInputElement[]} */ ([...table.querySelectorAll('[data-select-row]')]);
  const all = () => /** @type {HTMLInputElement | null} */ (table.querySelector('[data-select-all]'));
  /** @type {HTMLInputElement | undefined} */
  let last;

  const show = () => {
    const boxes = rows();
    const count = boxes.filter((b) => b.checked).length;
    const head = all();
    if (head) {
      head.checked = count > 0 && count === boxes.length;
      head.indeterminate = count > 0 && count < boxes.length;
    }
    const form = (head ?? boxes[0])?.form;
    if (!form) return;
    form.toggleAttribute('data-any', count > 0);
    const label = form.querySelector('[data-selected]');
    if (label) label.textContent = t('js.selected', { count });
  };
  table.addEventListener('click', (e) => {
    const box = e.target;
    if (!(box instanceof HTMLInputElement)) return;
    if (box.matches('[data-select-all]')) {
      for (const row of rows()) row.checked = box.checked;
    } else if (box.matches('[data-select-row]')) {
      const boxes = rows();
      if (e.shiftKey && last && boxes.includes(last)) {
        const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
        for (const row of boxes.slice(from, to + 1)) row.checked = box.checked;
      }
      last = box;
    } else {
      return;
    }
    show();
  });
  new MutationObserver(show).observe(table, { childList: true, subtree: true });
  show();
}
