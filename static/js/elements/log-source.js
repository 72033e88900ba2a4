// @ts-check
/**
 * Where log lines come from: pages by request, new lines by server-sent events (with polling when these keep breaking),
 * search over the whole log on the server.
 * @typedef {{from: number, lines: string[], total: number | null, end: boolean, size: number, stored?: boolean}} Page
 * @typedef {{hits: {line: number, text: string}[], total: number, more: boolean}} Hits
 */

const BREAKS = 3; // lost streams before polling
const POLL = 3000;

export class LogSource extends EventTarget {
  /** @type {EventSource | null} */ #stream = null;
  #timer = 0;
  #breaks = 0;
  /** @type {AbortController | null} */ #search = null;
  /** live, polling, paused, ended, gone */ status = 'paused';

  /** @param {string} base @param {() => number} next first line not yet here */
  constructor(base, next) {
    super();
    this.base = base.replace(/\/$/, '');
    this.next = next;
  }
  /** @param {string} path @param {Record<string, string | number>} query @param {AbortSignal} [signal] @returns {Promise<any>} */
  async #get(path, query, signal) {
    const url = new URL(`${this.base}/${path}`, location.href);
    for (const [k, v] of Object.entries(query)) url.searchParams.set(k, String(v));
    const res = await fetch(url, { headers: { 'X-Requested-With': 'dorado', Accept: 'application/json' }, credentials: 'same-origin', signal });
    const body = await res.json().catch(() => null);
    if (!res.ok) throw Object.assign(new Error(body?.message || body?.error?.message || `HTTP ${res.status}`), { status: res.status });
    return body;
  }
  /** @param {number} from negative: from the end @param {number} limit @returns {Promise<Page>} */
  lines(from, limit) {
    return this.#get('lines', { from, limit });
  }
  /** A new search cancels the one before. @param {string} q @param {{regex: boolean, matchCase: boolean, from?: number, limit?: number}} opt @returns {Promise<Hits>} */
  search(q, opt) {
    if (!opt.from) {
      this.#search?.abort();
      this.#search = new AbortController();
    }
    return this.#get('search', { q, regex: opt.regex ? 1 : 0, case: opt.matchCase ? 1 : 0, from: opt.from ?? 0, limit: opt.limit ?? 1000 }, this.#search?.signal);
  }

  /** Follow the log from the first line not yet here. */
  open() {
    this.close();
    if (this.status === 'ended' || this.status === 'gone') return;
    if (this.#breaks >= BREAKS || typeof EventSource === 'undefined') return this.#poll();
    const es = new EventSource(`${this.base}/stream?from=${this.next()}`);
    this.#stream = es;
    es.addEventListener('lines', (e) => {
      this.#breaks = 0;
      this.#set('live');
      this.#emit('lines', JSON.parse(/** @type {MessageEvent} */ (e).data));
    });
    es.addEventListener('end', () => {
      this.close();
      this.#set('ended');
    });
    es.addEventListener('gone', (e) => {
      this.close();
      this.message = JSON.parse(/** @type {MessageEvent} */ (e).data || '{}').message ?? '';
      this.#set('gone');
    });
    es.onopen = () => this.#set('live');
    es.onerror = () => {
      es.close();
      this.#breaks++;
      this.#timer = window.setTimeout(() => this.open(), 500 * 2 ** this.#breaks);
    };
  }
  #poll() {
    this.#set('polling');
    const again = async () => {
      try {
        const page = await this.lines(this.next(), 5000);
        if (page.lines.length) this.#emit('lines', page);
        if (page.end) return this.#set('ended');
      } catch {
        // The next round tries again.
      }
      this.#timer = window.setTimeout(again, POLL);
    };
    this.#timer = window.setTimeout(again, POLL);
  }
  close() {
    clearTimeout(this.#timer);
    this.#stream?.close();
    this.#stream = null;
    if (this.status === 'live' || this.status === 'polling') this.#set('paused');
  }
  /** @param {string} status */
  #set(status) {
    if (this.status === status) return;
    this.status = status;
    this.#emit('status', status);
  }
  /** @param {string} name @param {any} detail */
  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
