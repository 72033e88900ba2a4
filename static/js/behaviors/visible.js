// @ts-check
/**
 * Shows a field only while another one of its form has one of the values named. Without scripts it is always shown: the
 * server ignores what does not count.
 * @param {HTMLElement} el
 */
export function visibleWhen(el) {
  const form = el.closest('form');
  const name = el.dataset.field ?? '';
  const values = (el.dataset.values ?? '').split('\n');
  if (!form) return;
  const update = () => {
    const other = form.elements.namedItem(name);
    let value = '';
    if (other instanceof HTMLInputElement && other.type === 'checkbox') value = String(other.checked);
    else if (other instanceof HTMLInputElement || other instanceof HTMLSelectElement) value = other.value;
    el.hidden = !values.includes(value);
  };
  form.addEventListener('change', update);
  update();
}
