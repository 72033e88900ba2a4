// @ts-check
// The page on which somebody asks a data source. Without this script its form sends one statement and shows one page.
import { csv, reference, remember, remembered, tsv } from './sql-model.js';
import { say } from './behaviors/toast.js';
import { h, icon, iconButton } from './dag/dom.js';
import { t } from './messages.js';

/** @typedef {import('./elements/code-field.js').CodeField} CodeField */

const RESULT = 'sql-result';
const SHOWN = 500; // names of a list

class Workbench {
  /** @type {AbortController | null} */ running = null;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.path = root.dataset.path ?? '';
    this.key = `dorado.sql.${root.dataset.memory}`;
    this.form = /** @type {HTMLFormElement} */ (root.querySelector('#sql-form'));
    this.field = /** @type {CodeField} */ (root.querySelector('code-field'));
    this.cancel = this.#get('[data-cancel]');
    this.clock = this.#get('[data-clock]');
    this.body = this.#get('[data-tree]');
    this.filter = /** @type {HTMLInputElement} */ (root.querySelector('[data-filter]'));
    this.dialog = /** @type {HTMLDialogElement | null} */ (root.querySelector('#sql-task'));
    this.form.addEventListener('submit', (e) => this.#submit(e));
    this.form.addEventListener('keydown', (e) => this.#key(e), true); // before the editor, which has a use of its own for it
    this.cancel.addEventListener('click', () => this.running?.abort());
    this.root.addEventListener('click', (e) => this.#click(e));
    this.filter.addEventListener('input', () => this.#narrow());
    this.#get('[data-test="sql.refresh"]').addEventListener('click', () => void this.#databases());
    this.#history();
    void this.#databases();
  }
  /** @param {string} selector */
  #get(selector) {
    return /** @type {HTMLElement} */ (this.root.querySelector(selector));
  }

  // ---- asking

  /** What is selected, or else everything. */
  get statement() {
    const { view } = this.field;
    if (view) {
      const { from, to } = view.state.selection.main;
      return from === to ? this.field.value : view.state.sliceDoc(from, to);
    }
    const area = this.field.querySelector('textarea');
    return (area && area.value.slice(area.selectionStart, area.selectionEnd)) || this.field.value;
  }
  /** @param {KeyboardEvent} e */
  #key(e) {
    if (e.key !== 'Enter' || !(e.ctrlKey || e.metaKey) || e.isComposing) return;
    e.preventDefault();
    e.stopPropagation();
    void this.run();
  }
  /** @param {SubmitEvent} e */
  #submit(e) {
    const button = /** @type {HTMLButtonElement | null} */ (e.submitter);
    if (button?.formAction.endsWith('/task')) return;
    if (button?.value === 'csv') return;
    e.preventDefault();
    if (button?.value === 'task') this.dialog?.showModal();
    else void this.run();
  }
  async run() {
    if (this.running) return;
    const sql = this.statement;
    if (!sql.trim()) return void this.field.focusEditor();
    const mine = (this.running = new AbortController());
    const data = new URLSearchParams();
    for (const [name, value] of new FormData(this.form)) data.set(name, String(value));
    data.set('sql', sql);
    data.set('do', 'run');
    const begin = performance.now();
    const seconds = () => ((performance.now() - begin) / 1000).toFixed(1);
    const tick = () => (this.clock.textContent = t('js.sql.running', { s: seconds() }));
    const timer = setInterval(tick, 100);
    this.#busy(true);
    tick();
    this.#remember(sql);
    try {
      const res = await fetch(this.path, {
        method: 'POST', body: data, signal: mine.signal, credentials: 'same-origin',
        headers: { Accept: 'text/html, application/json', 'HX-Request': 'true', 'HX-Request-Type': 'partial', 'HX-Target': `div#${RESULT}` },
      });
      const text = await res.text();
      const found = new DOMParser().parseFromString(text, 'text/html').getElementById(RESULT);
      if (found) document.getElementById(RESULT)?.replaceWith(document.importNode(found, true));
      else this.#say(message(text) || t('js.sql.failed'));
    } catch {
      this.#say(mine.signal.aborted ? t('js.sql.cancelled', { s: seconds() }) : t('js.sql.failed'), mine.signal.aborted ? 'info' : 'error');
    } finally {
      clearInterval(timer);
      this.running = null;
      this.#busy(false);
      this.clock.textContent = '';
    }
  }
  /** @param {boolean} on */
  #busy(on) {
    const runs = /** @type {HTMLButtonElement} */ (this.form.querySelector('[value="run"]'));
    const had = this.form.contains(document.activeElement) && (document.activeElement === runs || document.activeElement === this.cancel);
    this.cancel.hidden = !on;
    runs.hidden = on;
    document.getElementById(RESULT)?.setAttribute('aria-busy', String(on));
    if (had) (on ? this.cancel : runs).focus();
  }
  /** Shows a sentence of ours in place of an answer. @param {string} text @param {string} [kind] */
  #say(text, kind = 'error') {
    document.getElementById(RESULT)?.replaceChildren(
      h('div.note', { 'data-kind': kind, role: kind === 'error' ? 'alert' : 'status', 'data-test': 'sql.notice' }, icon(kind === 'error' ? 'circle-alert' : 'info'), h('div.grow', null, text)));
  }

  // ---- answers

  /** The rows that are shown, head first. @returns {import('./sql-model.js').Row[]} */
  #rows() {
    const table = document.querySelector(`#${RESULT} table`);
    if (!table) return [];
    const head = [...table.querySelectorAll('thead [data-name]')].map((x) => x.textContent ?? '');
    const rows = [...table.querySelectorAll('tbody tr')].map((tr) => [...tr.querySelectorAll('td')].map((td) => (td.hasAttribute('data-null') ? null : (td.querySelector('pre, span')?.textContent ?? ''))));
    return [head, ...rows];
  }
  /** @param {Event} e */
  #click(e) {
    const at = e.target instanceof Element ? e.target.closest('button') : null;
    if (!at) return;
    if (at.hasAttribute('data-copy-rows')) {
      navigator.clipboard.writeText(tsv(this.#rows())).then(() => say(t('js.copied'), 'success'), () => say(t('js.copy_failed'), 'error'));
    } else if (at.hasAttribute('data-save-rows')) {
      const url = URL.createObjectURL(new Blob([csv(this.#rows())], { type: 'text/csv' }));
      h('a', { href: url, download: `${document.querySelector('h1')?.textContent ?? 'result'}.csv` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } else if (at.hasAttribute('data-close')) this.dialog?.close();
    else if (at.hasAttribute('data-forget')) {
      keep(this.key, null);
      this.#history();
      this.field.focusEditor();
    }
  }

  // ---- what was asked

  /** @param {string} sql */
  #remember(sql) {
    keep(this.key, JSON.stringify(remember(remembered(kept(this.key)), sql, Date.now())));
    this.#history();
  }
  #history() {
    const list = remembered(kept(this.key));
    const box = this.#get('[data-history]');
    box.hidden = !list.length;
    this.#get('[data-entries]').replaceChildren(...list.map((x) => h('li', null, h('button', { type: 'button', title: x.sql, 'data-test': 'sql.asked', onclick: () => {
      this.field.value = x.sql;
      this.field.focusEditor();
    } }, h('code', null, x.sql.replace(/\s+/g, ' ').slice(0, 300)), h('time', { datetime: new Date(x.at).toISOString() }, new Date(x.at).toLocaleString(document.documentElement.lang))))));
  }

  // ---- tree

  /** @param {Record<string, string>} query */
  async #ask(query) {
    const res = await fetch(`${this.path}/tree?${new URLSearchParams(query)}`, { headers: { Accept: 'application/json' }, credentials: 'same-origin' });
    const text = await res.text();
    if (!res.ok) throw new Error(message(text) || t('js.sql.failed'));
    const answer = JSON.parse(text);
    if (answer.failure) throw new Error(answer.failure);
    return answer;
  }
  /** Fills a place with a list that is still to come. @param {HTMLElement} place @param {() => Promise<Node[]>} list */
  async #fill(place, list) {
    place.setAttribute('aria-busy', 'true');
    place.replaceChildren(h('p.hint', { role: 'status' }, t('js.sql.loading')));
    try {
      const nodes = await list();
      place.replaceChildren(...(nodes.length ? nodes : [h('p.hint', null, t('js.sql.nothing'))]));
    } catch (err) {
      place.replaceChildren(
        h('p.hint', { role: 'alert', 'data-test': 'sql.tree.error' }, err instanceof Error ? err.message : ''),
        h('button.btn.sm', { type: 'button', onclick: () => void this.#fill(place, list) }, t('js.sql.again')));
    }
    place.setAttribute('aria-busy', 'false');
  }
  #databases() {
    return this.#fill(this.body, async () => {
      const { databases } = await this.#ask({});
      this.root.querySelector('#sql-databases')?.replaceChildren(...databases.map((/** @type {string} */ name) => h('option', { value: name })));
      const home = this.root.dataset.home ?? '';
      const nodes = databases.map((/** @type {string} */ name) => this.#branch(name, 'data', 'database', (place) => this.#tables(place, name)));
      const own = nodes.find((/** @type {HTMLElement} */ x) => x.dataset.name === home) ?? (nodes.length === 1 ? nodes[0] : undefined);
      if (own) own.firstElementChild.open = true;
      return own ? [own, ...nodes.filter((/** @type {HTMLElement} */ x) => x !== own)] : nodes;
    });
  }
  /** @param {HTMLElement} place @param {string} database */
  #tables(place, database) {
    return this.#fill(place, async () => {
      const { tables } = await this.#ask({ database });
      const nodes = tables.map((/** @type {string} */ name) => this.#branch(name, 'table', 'table', (at) => this.#columns(at, database, name), () => this.#insert(name, database)));
      setTimeout(() => this.#narrow());
      return nodes;
    });
  }
  /** @param {HTMLElement} place @param {string} database @param {string} table */
  #columns(place, database, table) {
    return this.#fill(place, async () => {
      const { columns } = await this.#ask({ database, table });
      return columns.length ? [h('ul', null, ...columns.map((/** @type {{name: string, type: string}} */ c) => h('li', null,
        h('button', { type: 'button', title: t('js.sql.insert', { name: c.name }), 'data-test': 'sql.column', onclick: () => this.#insert(c.name) }, c.name), h('small', null, c.type))))] : [];
    });
  }
  /**
   * A line of the tree that is filled when it is first opened.
   * @param {string} name @param {string} iconName @param {string} kind @param {(place: HTMLElement) => void} fill @param {() => void} [insert]
   */
  #branch(name, iconName, kind, fill, insert) {
    const place = h('div', null);
    let filled = false;
    const el = h('div.sql-node', { 'data-name': name, 'data-kind': kind },
      h('details', { ontoggle: (/** @type {any} */ e) => {
        if (!e.target.open || filled) return;
        filled = true;
        fill(place);
      } }, h('summary', { title: name, 'data-test': `sql.${kind}` }, icon('right'), icon(iconName), h('span.grow', null, name)), place));
    if (insert) el.append(iconButton(t('js.sql.insert', { name }), 'plus', insert, { 'data-test': 'sql.insert' }));
    return el;
  }
  /** Shows the tables whose names hold what is typed; of very many the first. */
  #narrow() {
    const q = this.filter.value.trim().toLowerCase();
    for (const place of this.body.querySelectorAll('[data-kind="database"] > details > div')) {
      let shown = 0;
      let more = 0;
      place.querySelector('[data-rest]')?.remove();
      for (const node of place.querySelectorAll('[data-kind="table"]')) {
        const fits = (/** @type {HTMLElement} */ (node).dataset.name ?? '').toLowerCase().includes(q);
        if (fits && ++shown > SHOWN) more++;
        /** @type {HTMLElement} */ (node).hidden = !fits || shown > SHOWN;
      }
      if (more) place.append(h('p.hint', { 'data-rest': '' }, t('js.sql.rest', { count: more })));
    }
  }
  /** Writes a name into the statement. @param {string} name @param {string} [database] where the table is */
  #insert(name, database) {
    const { dataset } = this.root;
    const into = /** @type {HTMLInputElement | null} */ (this.form.querySelector('[name="database"]'));
    if (database && into) into.value = database;
    const text = reference(name, dataset.quote ?? '"', database && !into && database !== dataset.home ? database : '');
    const { view } = this.field;
    if (view) {
      view.dispatch(view.state.replaceSelection(text));
      view.focus();
    } else {
      const area = this.field.querySelector('textarea');
      area?.setRangeText(text, area.selectionStart, area.selectionEnd, 'end');
      area?.focus();
    }
  }
}

/** The sentence in an error of the server. @param {string} text */
function message(text) {
  try {
    return String(JSON.parse(text).message ?? '');
  } catch {
    return '';
  }
}

/** @param {string} key */
function kept(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** @param {string} key @param {string | null} text null forgets it */
function keep(key, text) {
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    // only a comfort
  }
}

const root = /** @type {HTMLElement | null} */ (document.querySelector('[data-sql]'));
if (root) new Workbench(root);
