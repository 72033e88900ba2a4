// @ts-check
/**
 * The search box in the head: what is found is listed below it while one types. The arrow keys walk the list, Enter goes to
 * what is marked, at first the best hit. The last line leads to the page with everything.
 * @param {HTMLElement} el
 */
export function jump(el) {
  const form = /** @type {HTMLFormElement} */ (el);
  const input = /** @type {HTMLInputElement} */ (form.querySelector('input[name=q]'));
  const box = /** @type {HTMLElement} */ (form.querySelector('.jump-box'));
  /** @type {AbortController | null} */ let asking = null;
  let timer = 0;
  let asked = '';

  input.setAttribute('role', 'combobox');
  input.setAttribute('aria-autocomplete', 'list');
  input.setAttribute('aria-expanded', 'false');

  const options = () => /** @type {HTMLAnchorElement[]} */ ([...box.querySelectorAll('[role=option]')]);
  const marked = () => options().findIndex((o) => o.getAttribute('aria-selected') === 'true');
  const open = () => box.matches(':popover-open');

  /** @param {number} at */
  const mark = (at) => {
    const all = options();
    all.forEach((o, k) => o.setAttribute('aria-selected', String(k === at)));
    const one = all[at];
    if (one) {
      input.setAttribute('aria-activedescendant', one.id);
      one.scrollIntoView({ block: 'nearest' });
    } else input.removeAttribute('aria-activedescendant');
  };
  const place = () => {
    const anchor = form.getBoundingClientRect();
    box.style.top = `${anchor.bottom + 6}px`;
    box.style.left = `${Math.max(8, anchor.right - box.offsetWidth)}px`;
  };
  const hide = () => {
    window.clearTimeout(timer);
    asking?.abort();
    if (open()) box.hidePopover();
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  };
  const show = () => {
    if (!open()) box.showPopover();
    place();
    const list = box.querySelector('[role=listbox]');
    input.setAttribute('aria-expanded', String(Boolean(list)));
    if (list) input.setAttribute('aria-controls', list.id);
    else input.removeAttribute('aria-controls');
  };
  const ask = async () => {
    const text = input.value.trim();
    if (text === asked && box.childElementCount) {
      show();
      return;
    }
    asking?.abort();
    const mine = (asking = new AbortController());
    try {
      const res = await fetch(`${form.dataset.url}?${new URLSearchParams({ q: text })}`, {
        headers: { 'HX-Request': 'true', 'HX-Request-Type': 'partial', 'HX-Target': 'div#jump-box' }, credentials: 'same-origin', signal: mine.signal,
      });
      if (!res.ok) return; // the page that Enter leads to says why
      const html = await res.text();
      if (mine !== asking || document.activeElement !== input) return;
      asked = text;
      box.innerHTML = html;
      options().forEach((o, k) => (o.id = `jump-${k}`));
      show();
      mark(text ? 0 : -1);
    } catch (e) {
      if (!(e instanceof DOMException && e.name === 'AbortError')) hide();
    }
  };

  input.addEventListener('focus', () => void ask());
  input.addEventListener('input', () => {
    window.clearTimeout(timer);
    mark(-1); // what is marked belongs to the text before
    timer = window.setTimeout(() => void ask(), 120);
  });
  input.addEventListener('keydown', (e) => {
    if (e.isComposing) return;
    const n = options().length;
    if (e.key === 'Escape' && open()) {
      e.preventDefault();
      e.stopPropagation();
      hide();
    } else if ((e.key === 'ArrowDown' || e.key === 'ArrowUp') && n) {
      e.preventDefault();
      if (!open()) show();
      const at = marked();
      mark(e.key === 'ArrowDown' ? (at + 1) % n : (Math.max(at, 0) - 1 + n) % n);
    }
  });
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    window.clearTimeout(timer);
    if (input.value.trim() !== asked || !open()) await ask(); // Enter may be quicker than the answer
    const one = options()[marked()];
    if (open() && one) location.assign(one.href);
    else form.submit();
  });
  form.addEventListener('focusout', (e) => {
    if (!(e.relatedTarget instanceof Node && form.contains(e.relatedTarget))) hide();
  });
  box.addEventListener('pointerdown', (e) => {
    if (e.button === 0) e.preventDefault(); // the focus stays in the box, or the list would be gone before the click
  });
  addEventListener('resize', () => open() && place());
}
