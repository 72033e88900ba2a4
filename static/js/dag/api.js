// @ts-check
/**
 * Calls to the server, autosave of the draft, and the supply of task codes.
 * @typedef {import('./types.js').Urls} Urls
 */

/** A refusal by the server, or no answer at all (status 0). */
export class ApiError extends Error {
  /** @param {number} status @param {any} body */
  constructor(status, body) {
    super(body?.error?.message || body?.message || (status ? `HTTP ${status}` : 'offline'));
    this.status = status;
    this.body = body ?? {};
  }
}

/**
 * @param {string} method @param {string} url @param {any} [body] @param {{keepalive?: boolean, signal?: AbortSignal}} [opt]
 * @returns {Promise<any>} the JSON answer
 */
export async function call(method, url, body, opt = {}) {
  /** @type {Response} */
  let res;
  try {
    res = await fetch(url, {
      method,
      headers: { 'X-Requested-With': 'dorado', Accept: 'application/json', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: 'same-origin',
      ...opt,
    });
  } catch {
    throw new ApiError(0, null);
  }
  const text = await res.text();
  let json = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch {
    json = null;
  }
  if (!res.ok) throw new ApiError(res.status, json);
  return json;
}

/** Task codes from the server, some in stock so that adding a task needs no waiting. */
export class Codes {
  /** @type {number[]} */ #stock = [];
  /** @type {Promise<void> | null} */ #filling = null;
  /** @param {string | undefined} url */
  constructor(url) {
    this.url = url;
  }
  /** @param {number} [n] */
  async refill(n = 20) {
    if (!this.url) return;
    this.#filling ??= call('POST', this.url, { n })
      .then((res) => void this.#stock.push(...res.codes))
      .finally(() => (this.#filling = null));
    return this.#filling;
  }
  /** @param {number} n @returns {Promise<number[]>} */
  async take(n) {
    while (this.#stock.length < n) {
      const before = this.#stock.length;
      await this.refill(Math.max(20, n - before));
      if (this.#stock.length === before) throw new ApiError(0, null);
    }
    const out = this.#stock.splice(0, n);
    if (this.#stock.length < 8) this.refill().catch(() => {}); // the next take reports it
    return out;
  }
}

const QUIET = 1200; // ms after the last change
const LATEST = 5000; // ms after the first change not yet saved
const KEEPALIVE_LIMIT = 60_000; // browsers refuse larger bodies while a page is going away

/**
 * Saves the draft a moment after each change. `status`: clean, dirty, saving, saved, failed, conflict, signedOut.
 */
export class Draft extends EventTarget {
  status = 'clean';
  savedAt = '';
  #timer = 0;
  #since = 0;
  #retry = 0;
  /** @type {Promise<void> | null} */ #running = null;
  #again = false;
  paused = false;

  /**
   * @param {string | undefined} url @param {{revision: number, savedAt: string, baseVersion: number} | null} draft
   * @param {number} version @param {() => any} content
   */
  constructor(url, draft, version, content) {
    super();
    this.url = url;
    this.revision = draft?.revision ?? 0;
    this.savedAt = draft?.savedAt ?? '';
    this.baseVersion = draft?.baseVersion ?? version;
    this.content = content;
    if (draft) this.status = 'saved';
  }
  get exists() {
    return this.revision > 0;
  }
  /** Whether something is not on the server yet. */
  get pending() {
    return this.status === 'dirty' || this.status === 'saving' || this.status === 'failed' || this.status === 'signedOut' || this.status === 'conflict';
  }
  /** The document changed. */
  touch() {
    if (this.paused || !this.url) return;
    const now = Date.now();
    this.#since ||= now;
    if (this.status !== 'conflict') this.#set('dirty');
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.flush(), Math.max(0, Math.min(QUIET, this.#since + LATEST - now)));
  }
  /** Save now. */
  async flush() {
    if (!this.url || this.paused || this.status === 'conflict') return;
    clearTimeout(this.#timer);
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#since = 0;
    this.#set('saving');
    this.#running = this.#put();
    await this.#running;
    this.#running = null;
    if (this.#again) {
      this.#again = false;
      await this.flush();
    }
  }
  async #put() {
    try {
      const res = await call('PUT', /** @type {string} */ (this.url), { baseVersion: this.baseVersion, revision: this.revision, definition: this.content() });
      this.revision = res.revision;
      this.savedAt = res.savedAt;
      this.#retry = 0;
      this.#set(this.#since ? 'dirty' : 'saved');
    } catch (err) {
      const e = err instanceof ApiError ? err : new ApiError(0, null);
      if (e.status === 409) {
        this.theirs = Number(e.body.revision ?? this.revision + 1);
        return this.#set('conflict');
      }
      this.error = e;
      this.#set(e.status === 401 ? 'signedOut' : 'failed');
      this.#retry = Math.min(30_000, this.#retry ? this.#retry * 2 : 2000);
      this.#timer = window.setTimeout(() => void this.flush(), this.#retry);
    }
  }
  /** After a conflict: our draft replaces the one of the other tab. */
  overwrite() {
    this.revision = this.theirs ?? this.revision;
    this.#set('dirty');
    return this.flush();
  }
  /** The page goes away: what is not saved leaves with it. */
  leave() {
    if (!this.url || this.paused || (this.status !== 'dirty' && this.status !== 'failed')) return;
    const body = { baseVersion: this.baseVersion, revision: this.revision, definition: this.content() };
    if (JSON.stringify(body).length < KEEPALIVE_LIMIT) call('PUT', this.url, body, { keepalive: true }).catch(() => {});
  }
  /** The document is the saved version now. @param {number} version */
  published(version) {
    clearTimeout(this.#timer);
    this.#since = 0;
    this.revision = 0;
    this.baseVersion = version;
    this.#set('clean');
  }
  async discard() {
    clearTimeout(this.#timer);
    this.paused = true;
    if (this.url) await call('DELETE', this.url);
  }
  /** @param {string} status */
  #set(status) {
    this.status = status;
    this.dispatchEvent(new CustomEvent('status'));
  }
}
