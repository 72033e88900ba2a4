// @ts-check
/** Search of a log on the server: hits, n of m, marks beside the scroll bar, only matching lines. */
import { icon, t } from '../messages.js';

const WAIT = 250;
const LIMIT = 1000;
const NAME = 'log-search';

export class LogSearch {
  /** @type {{line: number, text: string}[]} */ hits = [];
  /** @type {Map<number, string>} */ #texts = new Map();
  total = 0;
  more = false;
  at = -1;
  regex = false;
  matchCase = false;
  only = false;
  #timer = 0;

  /** @param {import('./log-view.js').LogView} view @param {import('./log-source.js').LogSource} source */
  constructor(view, source) {
    this.view = view;
    this.source = source;
    const make = (/** @type {string} */ text, /** @type {string} */ title, /** @type {string} */ test, /** @type {() => void} */ fn, /** @type {string} */ iconName = '') => {
      const b = document.createElement('button');
      b.type = 'button';
      b.className = 'btn ghost sm icon';
      b.title = title;
      b.setAttribute('aria-label', title);
      b.dataset.test = test;
      b.append(iconName ? icon(iconName) : text);
      b.addEventListener('click', fn);
      return b;
    };
    this.input = document.createElement('input');
    this.input.type = 'search';
    this.input.className = 'input';
    this.input.placeholder = t('js.log.search');
    this.input.setAttribute('aria-label', t('js.log.search'));
    this.input.dataset.test = 'log.search';
    this.input.addEventListener('input', () => this.#later());
    this.input.addEventListener('keydown', (e) => {
      if (e.key === 'Enter') {
        e.preventDefault();
        if (this.#timer) void this.run();
        else void this.step(e.shiftKey ? -1 : 1);
      } else if (e.key === 'Escape') {
        e.preventDefault();
        this.input.value = '';
        void this.run();
        view.body.focus();
      }
    });
    this.caseButton = make('Aa', t('js.log.case'), 'log.case', () => this.#flip('matchCase'));
    this.regexButton = make('.*', t('js.log.regex'), 'log.regex', () => this.#flip('regex'));
    this.onlyButton = make('', t('js.log.only'), 'log.only', () => {
      this.only = !this.only;
      view.showOnly(this.only ? this.hits.map((h) => h.line) : null);
    }, 'filter');
    this.label = document.createElement('span');
    this.label.className = 'log-count';
    this.label.setAttribute('role', 'status');
    this.label.dataset.test = 'log.count';
    this.parts = [icon('search'), this.input, this.caseButton, this.regexButton, this.onlyButton, this.label,
      make('', t('js.log.previous'), 'log.previous', () => void this.step(-1), 'up'), make('', t('js.log.next'), 'log.next', () => void this.step(1), 'down')];
    this.update();
  }
  focus() {
    this.input.focus();
    this.input.select();
  }
  /** @param {number} line */
  textOf(line) {
    return this.#texts.get(line);
  }
  /** @param {'regex' | 'matchCase'} which */
  #flip(which) {
    this[which] = !this[which];
    void this.run();
  }
  #later() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.run(), WAIT);
  }
  async run() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const q = this.input.value;
    this.hits = [];
    this.#texts.clear();
    this.at = -1;
    this.total = 0;
    this.more = false;
    this.view.mark = null;
    if (this.only) {
      this.only = false;
      this.view.showOnly(null);
    }
    this.error = '';
    if (q) {
      try {
        const found = await this.source.search(q, { regex: this.regex, matchCase: this.matchCase, limit: LIMIT });
        if (this.input.value !== q) return;
        this.#take(found);
        if (this.hits.length) {
          const here = this.view.current();
          const i = this.hits.findIndex((h) => h.line >= here);
          this.#go(i < 0 ? 0 : i);
        }
      } catch (err) {
        if (err instanceof DOMException && err.name === 'AbortError') return;
        this.error = err instanceof Error ? err.message : t('js.log.failed');
      }
    }
    this.update();
    this.view.paint();
  }
  /** @param {import('./log-source.js').Hits} found */
  #take(found) {
    for (const h of found.hits) {
      this.hits.push(h);
      this.#texts.set(h.line, h.text);
    }
    this.total = Math.max(found.total ?? 0, this.hits.length);
    this.more = found.more;
  }
  /** Next or previous hit. @param {1 | -1} d */
  async step(d) {
    if (!this.hits.length) return;
    if (d > 0 && this.at === this.hits.length - 1 && this.more) {
      const total = this.total;
      const last = this.hits[this.hits.length - 1].line;
      this.#take(await this.source.search(this.input.value, { regex: this.regex, matchCase: this.matchCase, from: last + 1, limit: LIMIT }));
      this.total = Math.max(total, this.total);
    }
    this.#go((this.at + d + this.hits.length) % this.hits.length);
  }
  /** @param {number} i */
  #go(i) {
    this.at = i;
    this.view.mark = this.hits[i].line;
    this.view.toLine(this.hits[i].line);
    this.update();
  }
  update() {
    const lang = document.documentElement.lang || 'en';
    this.caseButton.setAttribute('aria-pressed', String(this.matchCase));
    this.regexButton.setAttribute('aria-pressed', String(this.regex));
    this.onlyButton.setAttribute('aria-pressed', String(this.only));
    const active = this.input.value !== '' && !this.#timer;
    this.label.textContent = !active ? '' : this.error || (this.hits.length ? `${(this.at + 1).toLocaleString(lang)} / ${this.total.toLocaleString(lang)}` : t('js.log.noHit'));
    this.label.toggleAttribute('data-error', !!this.error);
    for (const p of this.parts.slice(6)) /** @type {HTMLElement} */ (p).toggleAttribute('disabled', !this.hits.length);
    /** @type {HTMLButtonElement} */ (this.onlyButton).disabled = !this.hits.length;
    this.#drawMarks();
  }
  /** Lines with a hit, beside the scroll bar. */
  #drawMarks() {
    const c = this.view.marks;
    if (!c) return;
    const h = this.view.body.clientHeight;
    c.width = 6;
    c.height = h;
    const g = c.getContext('2d');
    if (!g || !this.hits.length || this.view.only) return;
    g.fillStyle = getComputedStyle(c).color;
    const n = Math.max(1, this.view.store.total - this.view.base);
    for (const hit of this.hits) g.fillRect(0, ((hit.line - this.view.base) / n) * (h - 2), 6, 2);
  }
  /** Mark the matches in the rows that exist. @param {HTMLElement[]} rows */
  highlight(rows) {
    const api = /** @type {any} */ (globalThis).CSS?.highlights;
    if (!api) return;
    const q = this.input.value;
    /** @type {RegExp | null} */
    let re = null;
    if (q && this.hits.length) {
      try {
        re = new RegExp(this.regex ? q : q.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), this.matchCase ? 'g' : 'gi');
      } catch {
        re = null; // the server's dialect knows more
      }
    }
    if (!re) return void api.delete(NAME);
    const ranges = [];
    for (const row of rows) {
      if (row.hidden) continue;
      const walker = document.createTreeWalker(/** @type {Node} */ (row.lastElementChild), NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        for (const m of (node.textContent ?? '').matchAll(re)) {
          if (!m[0]) break;
          const r = new Range();
          r.setStart(node, m.index);
          r.setEnd(node, m.index + m[0].length);
          ranges.push(r);
          if (ranges.length > 500) break;
        }
      }
    }
    api.set(NAME, new /** @type {any} */ (globalThis).Highlight(...ranges));
  }
}
