// @ts-check
/**
 * Lets the arrow keys walk the links of a table, and L open the log of the cell that has the focus.
 * @param {HTMLElement} table
 */
export function cells(table) {
  table.addEventListener('keydown', (e) => {
    const link = /** @type {HTMLElement} */ (e.target).closest('a');
    const cell = /** @type {HTMLTableCellElement | null} */ (link?.closest('td, th'));
    const row = /** @type {HTMLTableRowElement | null} */ (cell?.closest('tr'));
    if (!link || !cell || !row || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === 'l' && link.dataset.log) {
      location.assign(link.dataset.log);
      return;
    }
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[e.key];
    if (!step) return;
    e.preventDefault();
    const rows = [.../** @type {HTMLTableElement} */ (table).rows];
    let y = rows.indexOf(row);
    let x = cell.cellIndex;
    for (;;) {
      y += step[0] ?? 0;
      x += step[1] ?? 0;
      const next = rows[y]?.cells[x];
      if (!next) return;
      const target = next.querySelector('a');
      if (target) {
        target.focus();
        target.scrollIntoView({ block: 'nearest', inline: 'nearest' });
        return;
      }
    }
  });
}
