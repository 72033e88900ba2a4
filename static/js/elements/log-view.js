// @ts-check
/**
 * `<log-view src="…">`: a log of any length. Only rows in view exist; lines come in pages, the newest by stream; the
 * search runs on the server. Attributes: `src` (base address), `download` (address of the whole file), `open-at`
 * (`end`, the default, or `error`). A `<pre>` inside is what browsers without script show.
 */
import { icon, t } from '../messages.js';
import { plain } from './ansi.js';
import { CUT, emptyRow, fillRow, moreOf } from './log-row.js';
import { LogSearch } from './log-search.js';
import { LogSource } from './log-source.js';
import { LogStore, parseRange, rangeHash } from './log-store.js';

const ROW = 20;
const PAGE = 2000;
const SPAN = 1_500_000; // rows in the scroll range; browsers limit the height of an element
const LEVELS = /** @type {const} */ (['error', 'warn', 'info', 'debug']);
const WRAP = 'dorado.log.wrap';

/** @type {any} fields that have no value before the element is on a page */
const LATER = undefined;

export class LogView extends HTMLElement {
  /** @type {LogSource} */ source = LATER;
  /** @type {LogSearch} */ search = LATER;
  store = new LogStore();
  /** first line of the scroll range */ base = 0;
  follow = true;
  wrap = false;
  /** @type {[number, number] | null} */ range = null;
  /** @type {Set<string>} */ levels = new Set();
  /** @type {number[] | null} lines shown when filtered */ only = null;
  /** @type {Map<number, number>} characters shown of long lines */ #shown = new Map();
  #behind = 0;
  /** @type {HTMLElement[]} */ #rows = [];
  #frame = 0;
  /** @type {Set<number>} pages on their way */ #loading = new Set();
  /** @type {AbortController | null} */ #life = null;

  connectedCallback() {
    if (this.#life || !this.getAttribute('src')) return;
    this.#life = new AbortController();
    this.#build();
    this.source = new LogSource(this.getAttribute('src') ?? '', () => Math.max(this.store.total, this.store.to));
    this.search = new LogSearch(this, this.source);
    this.searchBar.append(...this.search.parts);
    this.source.addEventListener('lines', (e) => this.#arrived(/** @type {CustomEvent} */ (e).detail));
    this.source.addEventListener('status', () => this.#status());
    const { signal } = this.#life;
    document.addEventListener('visibilitychange', () => (document.hidden ? this.source?.close() : this.source?.open()), { signal });
    addEventListener('hashchange', () => this.#fromHash(), { signal });
    // Also when nothing has the focus: then the log is what the reader looks at.
    document.addEventListener('keydown', (e) => (this.contains(/** @type {Node} */ (e.target)) || e.target === document.body) && this.#key(e), { signal, capture: true });
    void this.#start();
  }
  disconnectedCallback() {
    this.source?.close();
    this.#life?.abort();
    this.#life = null;
    this.#size?.disconnect();
    cancelAnimationFrame(this.#frame);
  }
  /** @type {ResizeObserver | null} */ #size = null;

  #build() {
    for (const old of this.querySelectorAll(':scope > pre')) /** @type {HTMLElement} */ (old).hidden = true;
    const make = (/** @type {string} */ tag, /** @type {string} */ cls, /** @type {Record<string, string>} */ attrs = {}) => {
      const el = document.createElement(tag);
      el.className = cls;
      for (const [k, v] of Object.entries(attrs)) el.setAttribute(k, v);
      return /** @type {any} */ (el);
    };
    const button = (/** @type {string} */ label, /** @type {string} */ name, /** @type {string} */ test, /** @type {() => void} */ fn) => {
      const b = make('button', 'btn ghost icon sm', { type: 'button', title: label, 'aria-label': label, 'data-test': test });
      b.append(icon(name));
      b.addEventListener('click', fn);
      return b;
    };
    this.searchBar = make('div', 'log-search');
    this.chips = make('div', 'log-chips', { role: 'group', 'aria-label': t('js.log.levels') });
    for (const l of LEVELS) {
      const b = make('button', 'log-chip', { type: 'button', 'aria-pressed': 'false', 'data-level': l, 'data-test': `log.level.${l}` });
      b.addEventListener('click', () => this.toggleLevel(l));
      this.chips.append(b);
    }
    this.info = make('span', 'log-info', { role: 'status', 'data-test': 'log.status' });
    this.wrapButton = button(t('js.log.wrap'), 'route', 'log.wrap', () => this.setWrap(!this.wrap));
    this.followButton = make('button', 'btn sm', { type: 'button', 'data-test': 'log.follow' });
    this.followButton.append(icon('arrow-down'), t('js.log.follow'));
    this.followButton.addEventListener('click', () => this.toEnd());
    this.fullButton = button(t('js.log.fullscreen'), 'maximize', 'log.fullscreen', () => this.toggleFull());
    const bar = make('div', 'log-bar', { role: 'toolbar', 'aria-label': t('js.log.toolbar') });
    bar.append(this.searchBar, this.chips, make('span', 'grow'), this.info, this.followButton, this.wrapButton, this.fullButton);
    const file = this.getAttribute('download');
    if (file) {
      this.fileLink = make('a', 'btn ghost icon sm', { href: file, download: '', title: t('js.log.download'), 'aria-label': t('js.log.download'), 'data-test': 'log.download' });
      this.fileLink.append(icon('download'));
      bar.append(this.fileLink);
    }
    this.picked = make('div', 'log-picked', { hidden: '', 'data-test': 'log.picked' });
    this.note = make('div', 'log-note', { role: 'status', hidden: '', 'data-test': 'log.note' });
    this.body = make('div', 'log-body', { tabindex: '0', role: 'log', 'aria-label': this.getAttribute('label') ?? t('js.log.title'), 'aria-live': 'off', 'data-test': 'log.body' });
    this.space = make('div', 'log-space');
    this.window = make('div', 'log-window');
    this.space.append(this.window);
    this.body.append(this.space);
    this.marks = make('canvas', 'log-marks', { 'aria-hidden': 'true' });
    this.fresh = make('button', 'btn sm log-fresh', { type: 'button', hidden: '', 'data-test': 'log.new' });
    this.fresh.addEventListener('click', () => this.toEnd());
    const frame = make('div', 'log-frame');
    frame.append(this.body, this.marks, this.fresh);
    this.append(bar, this.note, frame, this.picked);
    this.body.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.window.addEventListener('click', (/** @type {MouseEvent} */ e) => this.#clicked(e));
    this.#size = new ResizeObserver(() => this.paint());
    this.#size.observe(this.body);
    let wrap = false;
    try {
      wrap = localStorage.getItem(WRAP) === '1';
    } catch {
      wrap = false;
    }
    this.setWrap(wrap);
  }

  async #start() {
    const linked = parseRange(location.hash);
    try {
      const page = await this.source.lines(linked ? Math.max(0, linked[0] - PAGE / 2) : -PAGE, PAGE);
      this.#take(page);
      if (linked) this.#fromHash();
      else if (this.getAttribute('open-at') === 'error') await this.nextError(-1);
      if (page.end && page.from + page.lines.length >= this.store.total) {
        this.source.status = 'ended';
        this.#status();
        this.paint();
        return;
      }
      if (!document.hidden) this.source.open();
    } catch (err) {
      this.#say(err instanceof Error ? err.message : t('js.log.failed'));
    }
    this.paint();
  }
  /** @param {import('./log-source.js').Page} page */
  #take(page) {
    this.size = page.size;
    this.stored = Boolean(page.stored);
    this.store.append(page.from, page.lines);
    if (page.total !== null && page.total !== undefined) this.store.total = Math.max(page.total, this.store.to);
  }
  /** New lines by the stream. @param {{from: number, lines: string[]}} d */
  #arrived(d) {
    const end = d.from + d.lines.length;
    const fresh = Math.max(0, end - this.store.total);
    // Somebody who reads an old part keeps it; the new lines are fetched when he goes there.
    const joins = d.from <= this.store.to && end >= this.store.to;
    if (joins || this.follow) this.store.append(d.from, d.lines);
    this.store.total = Math.max(this.store.total, end);
    if (!this.follow) this.#behind += fresh;
    this.paint();
  }
  #status() {
    this.dataset.status = this.source.status;
    if (this.source.status === 'gone') this.#say(this.source.message || t('js.log.gone'));
    this.paint();
  }
  /** @param {string} text */
  #say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  // ---- where we are

  get count() {
    return this.only ? this.only.length : Math.max(0, this.store.total - this.base);
  }
  /** Line number of a row. @param {number} row */
  lineOf(row) {
    return this.only ? this.only[row] : this.base + row;
  }
  #scrolled() {
    const b = this.body;
    const atEnd = b.scrollTop + b.clientHeight >= b.scrollHeight - 4;
    if (atEnd) {
      this.follow = true;
      this.#behind = 0;
    } else if (!this.#placing) this.follow = false;
    this.paint();
  }
  #placing = false;
  /** Put a line in the middle of the view. @param {number} n */
  toLine(n) {
    this.follow = false;
    if (this.only && !this.only.includes(n)) this.clearFilter();
    if (!this.only && n < this.base) this.base = Math.max(0, n - SPAN / 2);
    let row = n - this.base;
    if (this.only) row = this.only.indexOf(n);
    this.#layout();
    const b = this.body;
    if (this.wrap) b.scrollTop = (row / Math.max(1, this.count)) * (b.scrollHeight - b.clientHeight);
    else b.scrollTop = row * ROW - b.clientHeight / 2;
    this.paint();
  }
  toTop() {
    this.follow = false;
    this.base = 0;
    this.#layout();
    this.body.scrollTop = 0;
    this.paint();
  }
  toEnd() {
    this.clearFilter();
    this.follow = true;
    this.#behind = 0;
    if (this.store.to < this.store.total) void this.#page(Math.max(0, this.store.total - PAGE));
    this.paint();
  }
  /** @param {number} after */
  async nextError(after = this.current()) {
    let n = this.store.nextLevel('error', after);
    if (n < 0 || this.store.from > after + 1) {
      const hits = await this.source.search('\\b(ERROR|FATAL|SEVERE|CRITICAL)\\b', { regex: true, matchCase: true, from: after + 1, limit: 1 }).catch(() => null);
      n = hits?.hits[0]?.line ?? n;
    }
    if (n < 0) return this.#announce(t('js.log.noError'));
    this.mark = n;
    this.toLine(n);
  }
  /** The line in the middle of the view, or the marked one. */
  current() {
    return this.mark ?? this.lineOf(Math.floor((this.body.scrollTop + this.body.clientHeight / 2) / ROW)) ?? -1;
  }
  /** @type {number | null} */ mark = null;
  /** @param {string} text */
  #announce(text) {
    this.#say(text);
    setTimeout(() => this.note.textContent === text && this.#say(''), 4000);
  }

  // ---- filters

  /** @param {string} l */
  toggleLevel(l) {
    if (!this.levels.delete(l)) this.levels.add(l);
    this.search.only = false;
    this.only = this.levels.size ? this.store.withLevels(this.levels) : null;
    this.follow = false;
    this.#shownRows();
  }
  /** Show only these lines. @param {number[] | null} lines */
  showOnly(lines) {
    this.levels.clear();
    this.only = lines;
    this.#shownRows();
  }
  clearFilter() {
    if (!this.only) return;
    this.search.only = false;
    this.showOnly(null);
  }
  #shownRows() {
    for (const c of this.chips.children) c.setAttribute('aria-pressed', String(this.levels.has(c.dataset.level)));
    this.search.update();
    this.body.scrollTop = 0;
    for (const r of this.#rows) r.dataset.line = '';
    this.paint();
  }

  // ---- drawing

  paint() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }
  #layout() {
    if (!this.only && this.follow && this.store.total - this.base > SPAN) this.base = this.store.total - SPAN;
    const height = `${this.count * ROW}px`;
    if (this.space.style.height !== height) this.space.style.height = height;
  }
  #draw() {
    if (!this.isConnected) return;
    this.#layout();
    const b = this.body;
    if (this.follow && !this.only) {
      this.#placing = true;
      b.scrollTop = b.scrollHeight;
      this.#placing = false;
    }
    const view = b.clientHeight;
    const top = b.scrollTop;
    const room = Math.max(1, b.scrollHeight - view);
    const part = Math.min(1, top / room);
    const anchor = this.wrap ? Math.min(this.count - 1, Math.floor(part * this.count)) : Math.floor(top / ROW);
    const first = Math.max(0, anchor - (this.wrap ? Math.ceil((part * view) / ROW) + 2 : 10));
    const last = Math.min(this.count, anchor + Math.ceil(view / ROW) + 12);
    while (this.#rows.length < last - first) {
      const r = emptyRow();
      this.#rows.push(r);
      this.window.append(r);
    }
    let missing = -1;
    this.#rows.forEach((row, i) => {
      const at = first + i;
      row.hidden = at >= last;
      if (row.hidden) return;
      const n = this.lineOf(at);
      const line = this.store.line(n) ?? this.search.textOf(n);
      if (line === undefined && missing < 0) missing = n;
      const key = `${n}:${line === undefined ? '' : line.length}:${this.#shown.get(n) ?? ''}`;
      if (row.dataset.key !== key || row.dataset.line !== String(n)) {
        row.dataset.key = key;
        fillRow(row, n, line, this.#shown.get(n) ?? CUT, () => {
          this.#shown.set(n, moreOf(this.#shown.get(n) ?? CUT));
          this.body.focus({ preventScroll: true });
          this.paint();
        });
      }
      row.toggleAttribute('data-picked', !!this.range && n >= this.range[0] && n <= this.range[1]);
      row.toggleAttribute('data-hit', n === this.mark);
    });
    let y = first * ROW;
    if (this.wrap && this.count) {
      const row = this.#rows[anchor - first];
      y = top + part * view - (row ? row.offsetTop : 0);
      if (part >= 0.999) {
        const end = this.#rows[last - first - 1];
        y = top + view - (end ? end.offsetTop + end.offsetHeight : 0);
      } else if (part <= 0.001) y = 0;
    }
    this.window.style.transform = `translateY(${Math.round(y)}px)`;
    if (missing >= 0) void this.#page(Math.max(0, Math.floor(missing / PAGE) * PAGE));
    this.#texts();
    this.search.highlight(this.#rows);
  }
  /** Load the page that starts at a line. @param {number} from */
  async #page(from) {
    if (this.#loading.has(from)) return;
    this.#loading.add(from);
    try {
      const page = await this.source.lines(from, PAGE);
      const end = page.from + page.lines.length;
      if (page.from < this.store.from && end >= this.store.from && page.from + PAGE >= this.store.from) this.store.prepend(page.from, page.lines.slice(0, this.store.from - page.from));
      else this.#take(page);
      this.size = page.size ?? this.size;
    } catch (err) {
      this.#say(err instanceof Error ? err.message : t('js.log.failed'));
      await new Promise((done) => setTimeout(done, 1500));
    } finally {
      this.#loading.delete(from);
    }
    this.paint();
  }
  #texts() {
    const lang = document.documentElement.lang || 'en';
    const size = this.size ? bytes(this.size, lang) : '';
    const text = [t('js.log.lines', { count: this.store.total, n: this.store.total.toLocaleString(lang) }), size, this.stored && t('js.log.stored')].filter(Boolean).join(' · ');
    if (this.info.textContent !== text) this.info.textContent = text;
    this.followButton.setAttribute('aria-pressed', String(this.follow));
    this.followButton.hidden = this.source.status === 'ended' && this.follow;
    const fresh = !this.follow && this.#behind > 0;
    this.fresh.hidden = !fresh;
    if (fresh) this.fresh.textContent = `${t('js.log.newLines', { count: this.#behind, n: this.#behind.toLocaleString(lang) })} ↓`;
    for (const c of this.chips.children) {
      const l = /** @type {typeof LEVELS[number]} */ (c.dataset.level);
      const n = this.store.counts[l];
      const label = `${LEVEL_TEXT[l]()} ${n.toLocaleString(lang)}`;
      if (c.textContent !== label) c.textContent = label;
      c.hidden = !n && !this.levels.has(l);
    }
  }

  // ---- lines picked for a link or to copy

  /** @param {MouseEvent} e */
  #clicked(e) {
    const no = /** @type {Element} */ (e.target).closest('.log-no');
    if (!no) return;
    const n = Number(/** @type {HTMLElement} */ (no.parentElement).dataset.line);
    this.range = e.shiftKey && this.range ? [Math.min(this.range[0], n), Math.max(this.range[1], n)] : [n, n];
    history.replaceState(history.state, '', rangeHash(...this.range));
    this.#showPicked();
  }
  #fromHash() {
    this.range = parseRange(location.hash);
    if (this.range) this.toLine(this.range[0]);
    this.#showPicked();
  }
  #showPicked() {
    this.picked.hidden = !this.range;
    this.paint();
    if (!this.range) return;
    const [a, b] = this.range;
    const label = document.createElement('span');
    label.textContent = a === b ? t('js.log.line', { n: a + 1 }) : t('js.log.range', { a: a + 1, b: b + 1 });
    const button = (/** @type {string} */ text, /** @type {string} */ test, /** @type {() => void} */ fn) => {
      const el = document.createElement('button');
      el.type = 'button';
      el.className = 'btn sm';
      el.dataset.test = test;
      el.textContent = text;
      el.addEventListener('click', fn);
      return el;
    };
    this.picked.replaceChildren(label,
      button(t('js.log.copyLines'), 'log.copy', () => void this.#copyRange()),
      button(t('js.log.copyLink'), 'log.copyLink', () => void this.#copied(location.href)),
      button(t('js.log.clear'), 'log.clear', () => {
        this.range = null;
        history.replaceState(history.state, '', location.pathname + location.search);
        this.#showPicked();
      }));
  }
  async #copyRange() {
    const [a, b] = this.range ?? [0, -1];
    /** @type {string[]} */
    const out = [];
    for (let n = a; n <= b; ) {
      const held = this.store.line(n);
      if (held !== undefined) {
        out.push(held);
        n++;
        continue;
      }
      const page = await this.source.lines(n, Math.min(5000, b - n + 1));
      if (!page.lines.length) break;
      out.push(...page.lines);
      n += page.lines.length;
    }
    await this.#copied(out.map(plain).join('\n'));
  }
  /** @param {string} text */
  async #copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.#announce(t('js.copied'));
    } catch {
      this.#announce(t('js.copy_failed'));
    }
  }

  // ---- keys and switches

  /** @param {boolean} on */
  setWrap(on) {
    this.wrap = on;
    this.toggleAttribute('data-wrap', on);
    this.wrapButton.setAttribute('aria-pressed', String(on));
    try {
      localStorage.setItem(WRAP, on ? '1' : '0');
    } catch {
      // only a comfort
    }
    this.paint();
  }
  toggleFull() {
    const on = !this.hasAttribute('data-full');
    this.toggleAttribute('data-full', on);
    this.fullButton.setAttribute('aria-pressed', String(on));
    this.paint();
  }
  /** @param {KeyboardEvent} e */
  #key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
    const typing = /** @type {Element} */ (e.target).closest('input, textarea, select');
    if (typing) return;
    const act = {
      '/': () => this.search.focus(), n: () => void this.search.step(1), N: () => void this.search.step(-1), w: () => this.setWrap(!this.wrap), f: () => this.toggleFull(),
      g: () => this.toTop(), G: () => this.toEnd(), e: () => void this.nextError(), d: () => this.fileLink?.click(), Home: () => this.toTop(), End: () => this.toEnd(),
      Escape: this.hasAttribute('data-full') ? () => this.toggleFull() : null,
    }[e.key];
    if (!act) return;
    e.preventDefault();
    e.stopPropagation();
    act();
  }
}

const LEVEL_TEXT = {
  error: () => t('js.log.error'),
  warn: () => t('js.log.warn'),
  info: () => t('js.log.info'),
  debug: () => t('js.log.debug'),
};

/** @param {number} n @param {string} lang */
function bytes(n, lang) {
  const units = ['B', 'kB', 'MB', 'GB'];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${n.toLocaleString(lang, { maximumFractionDigits: i ? 1 : 0 })} ${units[i]}`;
}

customElements.get('log-view') ?? customElements.define('log-view', LogView);
