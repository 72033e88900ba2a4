// @ts-check
/** The task types: searchable, in groups, with the ones used last on top. Drag by pointer, or click, or Enter. */
import { t } from '../messages.js';
import { h, icon, uid } from './dom.js';
import { findTypes } from './search.js';

/** @typedef {import('./types.js').TaskType} TaskType */

/** @type {[string, string][]} */
const GROUPS = [
  ['universal', 'js.editor.group.universal'],
  ['logic', 'js.editor.group.logic'],
  ['cloud', 'js.editor.group.cloud'],
  ['di', 'js.editor.group.di'],
  ['dq', 'js.editor.group.dq'],
  ['ml', 'js.editor.group.ml'],
  ['other', 'js.editor.group.misc'],
];
/** Other spellings of a category. @type {Record<string, string>} */
const SAME = { 'data-integration': 'di', dataIntegration: 'di', 'data-quality': 'dq', dataQuality: 'dq', 'machine-learning': 'ml', machineLearning: 'ml' };
const RECENT = 'dorado.editor.recent';
const DRAG_AFTER = 5;

/** @returns {string[]} */
export function recent() {
  try {
    const list = JSON.parse(localStorage.getItem(RECENT) ?? '[]');
    return Array.isArray(list) ? list.filter((x) => typeof x === 'string') : [];
  } catch {
    return [];
  }
}
/** @param {string} type */
export function remember(type) {
  try {
    localStorage.setItem(RECENT, JSON.stringify([type, ...recent().filter((x) => x !== type)].slice(0, 4)));
  } catch {
    // Storage may be forbidden; the list is a comfort only.
  }
}

/** @param {TaskType[]} types @returns {{label: string, types: TaskType[]}[]} */
export function grouped(types) {
  const known = new Map(GROUPS.map(([key]) => [key, /** @type {TaskType[]} */ ([])]));
  for (const x of types) {
    const key = x.category.toLowerCase();
    (known.get(SAME[x.category] ?? key) ?? /** @type {TaskType[]} */ (known.get('other'))).push(x);
  }
  return GROUPS.map(([key, label]) => ({ label: t(label), types: known.get(key) ?? [] })).filter((g) => g.types.length);
}

/** @param {TaskType} type @param {string} test */
const typeButton = (type, test) =>
  h('button', { type: 'button', 'data-type': type.type, 'data-category': type.category, 'data-test': `${test}.${type.type}`, title: type.help ?? type.label },
    h('span.ic', null, icon(type.icon)), h('span.grow', null, type.label), type.foreign ? h('span.mut', { role: 'img', 'aria-label': t('js.editor.group.foreign') }, icon('ban')) : null);

export class Palette {
  /**
   * @param {import('./schema.js').Types} types
   * @param {{add(type: string): void, drop(type: string, cx: number, cy: number): boolean}} actions
   */
  constructor(types, actions) {
    this.types = types;
    this.actions = actions;
    this.list = h('div.dag-palette', { 'data-test': 'editor.palette' });
    this.search = h('input.input', {
      type: 'search', placeholder: t('js.editor.palette.search'), 'aria-label': t('js.editor.palette.search'), 'data-test': 'editor.palette.search',
      oninput: () => this.render(),
      onkeydown: (/** @type {KeyboardEvent} */ e) => {
        if (e.key === 'Enter') {
          const first = this.list.querySelector('button[data-type]');
          if (first) this.actions.add(first.dataset.type);
        } else if (e.key === 'ArrowDown') this.list.querySelector('button')?.focus();
        else return;
        e.preventDefault();
      },
    });
    this.el = h('section.panel.left', { 'aria-label': t('js.editor.palette') },
      h('div.dag-palette-head', null, h('div.search', null, icon('search'), this.search)),
      h('div.scroll', null, this.list));
    this.list.addEventListener('pointerdown', (/** @type {PointerEvent} */ e) => this.#grab(e));
    this.list.addEventListener('click', (/** @type {MouseEvent} */ e) => {
      const b = /** @type {HTMLElement | null} */ (/** @type {Element} */ (e.target).closest('button[data-type]'));
      if (b && !this.dragged) this.actions.add(b.dataset.type ?? '');
      this.dragged = false;
    });
    this.list.addEventListener('keydown', (/** @type {KeyboardEvent} */ e) => {
      const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0;
      if (!step) return;
      const all = [...this.list.querySelectorAll('button')].filter((b) => b.offsetParent !== null); // not those in a closed group
      all[all.indexOf(document.activeElement) + step]?.focus();
      e.preventDefault();
    });
    this.render();
  }
  render() {
    const q = this.search.value;
    const found = findTypes(this.types.all, q);
    const parts = [];
    if (!q) {
      const last = recent().map((x) => this.types.byName.get(x)).filter((x) => x !== undefined);
      if (last.length && this.types.all.length > 8) parts.push(h('h2', null, t('js.editor.group.recent')), ...last.map((x) => typeButton(x, 'editor.recent')));
      for (const g of grouped(found.filter((x) => !x.foreign))) parts.push(h('h2', null, g.label), ...g.types.map((x) => typeButton(x, 'editor.palette')));
      const foreign = grouped(found.filter((x) => x.foreign)).flatMap((g) => g.types);
      if (foreign.length) {
        const group = h('details.dag-foreign', { open: this.foreign, 'data-test': 'editor.palette.foreign' },
          h('summary', null, t('js.editor.group.foreign')), h('p.hint', null, t('js.editor.group.foreign.help')), ...foreign.map((x) => typeButton(x, 'editor.palette')));
        group.addEventListener('toggle', () => (this.foreign = group.open));
        parts.push(group);
      }
    } else parts.push(...found.map((x) => typeButton(x, 'editor.palette')));
    if (!found.length) parts.push(h('p.hint.dag-empty', null, t('js.editor.palette.none')));
    this.list.replaceChildren(...parts);
  }
  dragged = false;
  foreign = false; // whether the types that cannot run are unfolded
  /** @param {PointerEvent} e */
  #grab(e) {
    const b = /** @type {HTMLElement | null} */ (/** @type {Element} */ (e.target).closest('button[data-type]'));
    if (!b || e.button) return;
    this.dragged = false;
    const type = b.dataset.type ?? '';
    /** @type {HTMLElement | null} */
    let ghost = null;
    b.setPointerCapture(e.pointerId); // at once: the first move of a quick hand is already outside the button
    const move = (/** @type {PointerEvent} */ ev) => {
      if (!ghost) {
        if (Math.hypot(ev.clientX - e.clientX, ev.clientY - e.clientY) < DRAG_AFTER) return;
        ghost = /** @type {HTMLElement} */ (b.cloneNode(true));
        ghost.className = 'dag-dragged';
        ghost.removeAttribute('data-test');
        ghost.setAttribute('aria-hidden', 'true');
        document.body.append(ghost);
        this.dragged = true;
      }
      ghost.style.left = `${ev.clientX - 40}px`;
      ghost.style.top = `${ev.clientY - 16}px`;
    };
    const up = (/** @type {PointerEvent} */ ev) => {
      b.removeEventListener('pointermove', move);
      b.removeEventListener('pointerup', up);
      b.removeEventListener('pointercancel', up);
      if (!ghost) return;
      ghost.remove();
      if (ev.type === 'pointerup') this.actions.drop(type, ev.clientX, ev.clientY);
    };
    b.addEventListener('pointermove', move);
    b.addEventListener('pointerup', up);
    b.addEventListener('pointercancel', up);
  }
}

/** @typedef {{key: string, text: string, note?: string, icon: string, type?: string}} Found */

/**
 * A small list at the pointer: type to filter, arrows and Enter to choose.
 * @param {{host: HTMLElement, x: number, y: number, label: string, placeholder: string, test: string,
 *   find(query: string): Found[] | Promise<Found[]>, choose(key: string): void, closed?(): void}} opt
 */
export function picker(opt) {
  const listId = uid('pick');
  const list = h('div.dag-pick-list', { role: 'listbox', id: listId, 'aria-label': opt.label });
  const input = h('input.input', { type: 'text', placeholder: opt.placeholder, 'aria-label': opt.label, role: 'combobox', 'aria-expanded': 'true', 'aria-controls': listId, 'aria-autocomplete': 'list', 'data-test': `${opt.test}.search`, autocomplete: 'off' });
  const el = h('div.dag-pick', { 'data-test': opt.test }, input, list);
  let at = 0;
  /** @type {Found[]} */
  let found = [];
  let turn = 0;
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    el.remove();
    document.removeEventListener('pointerdown', outside, true);
    opt.closed?.();
  };
  const outside = (/** @type {Event} */ e) => {
    if (!el.contains(/** @type {Node} */ (e.target))) close();
  };
  const pick = (/** @type {number} */ i) => {
    const hit = found[i];
    if (!hit) return;
    close();
    opt.choose(hit.key);
  };
  const mark = () => {
    [...list.children].forEach((c, i) => c.setAttribute('aria-selected', String(i === at)));
    const on = /** @type {HTMLElement | undefined} */ (list.children[at]);
    on?.scrollIntoView({ block: 'nearest' });
    if (on?.id) input.setAttribute('aria-activedescendant', on.id);
    else input.removeAttribute('aria-activedescendant');
  };
  const render = () => {
    const mine = ++turn;
    const hits = opt.find(input.value);
    if (Array.isArray(hits)) return show(hits);
    if (!found.length) list.replaceChildren(h('p.hint.dag-empty', null, t('js.editor.search.going')));
    void hits.then((late) => open && mine === turn && show(late));
  };
  const show = (/** @type {Found[]} */ hits) => {
    found = hits;
    at = 0;
    list.replaceChildren(...found.map((f, i) =>
      h('div.dag-pick-item', { role: 'option', id: `${listId}-${i}`, 'data-key': f.key, 'data-type': f.type ?? false, 'data-test': `${opt.test}.item`, onclick: () => pick(i) },
        h('span.ic', null, icon(f.icon)), h('span.grow', null, f.text), f.note ? h('small', null, f.note) : null)));
    if (!found.length) list.replaceChildren(h('p.hint.dag-empty', null, t('js.editor.search.none')));
    else mark();
  };
  input.addEventListener('input', render);
  input.addEventListener('keydown', (/** @type {KeyboardEvent} */ e) => {
    if (e.key === 'ArrowDown') at = Math.min(found.length - 1, at + 1);
    else if (e.key === 'ArrowUp') at = Math.max(0, at - 1);
    else if (e.key === 'Enter') return e.preventDefault(), pick(at);
    else if (e.key === 'Escape' || e.key === 'Tab') return e.preventDefault(), e.stopPropagation(), close();
    else return;
    e.preventDefault();
    mark();
  });
  document.addEventListener('pointerdown', outside, true);
  opt.host.append(el);
  const r = opt.host.getBoundingClientRect();
  el.style.left = `${Math.max(8, Math.min(opt.x - r.left, r.width - 288))}px`;
  el.style.top = `${Math.max(8, Math.min(opt.y - r.top, r.height - 340))}px`;
  render();
  input.focus({ preventScroll: true });
  return close;
}

/**
 * A menu at the pointer.
 * @param {HTMLElement} host @param {number} x @param {number} y
 * @param {({text: string, test: string, icon?: string, key?: string, run(): void, disabled?: string} | null)[]} items null = line
 * @param {() => void} [closed]
 */
export function menu(host, x, y, items, closed) {
  const el = h('div.dag-menu', { role: 'menu', 'data-test': 'editor.menu' });
  const close = () => {
    el.remove();
    document.removeEventListener('pointerdown', outside, true);
    closed?.();
  };
  const outside = (/** @type {Event} */ e) => {
    if (!el.contains(/** @type {Node} */ (e.target))) close();
  };
  for (const item of items) {
    if (!item) {
      el.append(h('hr'));
      continue;
    }
    el.append(h('button', {
      type: 'button', role: 'menuitem', 'data-test': item.test, 'aria-disabled': item.disabled ? 'true' : false, title: item.disabled ?? false,
      onclick: () => {
        if (item.disabled) return;
        close();
        item.run();
      },
    }, item.icon ? icon(item.icon) : h('span.i'), h('span.grow', null, item.text), item.key ? h('kbd', null, item.key) : null));
  }
  el.addEventListener('keydown', (/** @type {KeyboardEvent} */ e) => {
    const all = [...el.querySelectorAll('button')];
    const i = all.indexOf(document.activeElement);
    if (e.key === 'ArrowDown') all[(i + 1) % all.length].focus();
    else if (e.key === 'ArrowUp') all[(i - 1 + all.length) % all.length].focus();
    else if (e.key === 'Home') all[0].focus();
    else if (e.key === 'End') all[all.length - 1].focus();
    else if (e.key === 'Escape' || e.key === 'Tab') close();
    else return;
    e.preventDefault();
    e.stopPropagation();
  });
  document.addEventListener('pointerdown', outside, true);
  host.append(el);
  const r = host.getBoundingClientRect();
  el.style.left = `${Math.max(4, Math.min(x - r.left, r.width - el.offsetWidth - 8))}px`;
  el.style.top = `${Math.max(4, Math.min(y - r.top, r.height - el.offsetHeight - 8))}px`;
  el.querySelector('button')?.focus({ preventScroll: true });
}
