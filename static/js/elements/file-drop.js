// @ts-check
/**
 * `<file-drop url="…" tree="etl" folder="a/b" max="1073741824">`: files and folders that are dropped on it, or chosen in the
 * file inputs within, are sent one after the other, each as the body of a PUT, with progress, pause, and a question when a
 * name is taken. With `name` exactly that file gets a new content. The list of uploads is the `.uploads` section within.
 *
 * A large file is sent to `parts` piece by piece. The server knows an unfinished one by its name, size and time of change, so
 * a broken connection, a pause, and a page that was closed all go on behind the last piece once the same file is there again.
 */
import { t } from '../messages.js';

/** How many are sent at once. */
const AT_ONCE = 2;
/** Files from this size on are sent in parts. */
const IN_PARTS = 16 << 20;
/** How often a broken connection is tried again, with twice the pause each time, beginning with half a second. */
const TRIES = 6;

/**
 * @typedef {{file: File, path: string, state: 'waiting' | 'sending' | 'done' | 'failed' | 'taken', when: 'create' | 'replace' | 'both',
 *   why: string, row?: HTMLLIElement, request?: XMLHttpRequest, turn?: number, share?: number}} Upload
 */

/**
 * Files of a drop, those in folders too, with their paths.
 * @param {DataTransferItemList} items
 * @returns {Promise<{file: File, path: string}[]>}
 */
export async function dropped(items) {
  const entries = [...items].map((i) => i.webkitGetAsEntry?.()).filter((e) => e !== null && e !== undefined);
  /** @type {{file: File, path: string}[]} */
  const out = [];
  /** @param {any} entry @param {string} above */
  const walk = async (entry, above) => {
    if (entry.isFile) {
      out.push({ file: await new Promise((ok, no) => entry.file(ok, no)), path: above + entry.name });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      /** @type {any[]} */
      const some = await new Promise((ok, no) => reader.readEntries(ok, no)); // a hundred at a time
      if (!some.length) return;
      for (const e of some) await walk(e, above + entry.name + '/');
    }
  };
  for (const e of entries) await walk(e, '');
  return out;
}

export class FileDrop extends HTMLElement {
  /** @type {Upload[]} */ uploads = [];
  paused = false;
  #over = 0;

  connectedCallback() {
    if (!this.hasAttribute('url') || this.dataset.ready) return;
    this.dataset.ready = '1';
    this.addEventListener('change', (e) => {
      const input = e.target;
      if (!(input instanceof HTMLInputElement) || input.type !== 'file') return;
      this.add([...(input.files ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
      input.value = '';
    });
    if (this.hasAttribute('name')) return;
    const files = (/** @type {DragEvent} */ e) => e.dataTransfer?.types.includes('Files');
    this.addEventListener('dragenter', (e) => {
      if (!files(e)) return;
      e.preventDefault();
      this.#over++;
      this.toggleAttribute('data-over', true);
    });
    this.addEventListener('dragover', (e) => {
      if (files(e)) e.preventDefault();
    });
    this.addEventListener('dragleave', (e) => {
      if (files(e) && --this.#over <= 0) this.#leave();
    });
    this.addEventListener('drop', (e) => {
      if (!files(e) || !e.dataTransfer) return;
      e.preventDefault();
      this.#leave();
      void dropped(e.dataTransfer.items).then((all) => this.add(all));
    });
  }

  #leave() {
    this.#over = 0;
    this.toggleAttribute('data-over', false);
  }

  /** @param {{file: File, path: string}[]} files */
  add(files) {
    const max = Number(this.getAttribute('max') ?? Infinity);
    const name = this.getAttribute('name');
    for (const { file, path } of files) {
      /** @type {Upload} */
      const u = { file, path: name ?? path, state: 'waiting', when: name === null ? 'create' : 'replace', why: '' };
      if (file.size > max) {
        u.state = 'failed';
        u.why = t('js.files.too_large');
      }
      this.uploads.push(u);
    }
    this.#draw();
    this.#next();
  }

  #next() {
    while (!this.paused && this.uploads.filter((u) => u.state === 'sending').length < AT_ONCE) {
      const u = this.uploads.find((x) => x.state === 'waiting');
      if (!u) break;
      this.#send(u);
    }
    const busy = this.uploads.some((u) => u.state === 'sending' || u.state === 'waiting');
    if (!busy && this.uploads.some((u) => u.state === 'done')) void this.#renew();
  }

  /** Where a file goes. @param {Upload} u */
  #where(u) {
    const folder = this.getAttribute('folder') ?? '';
    return { tree: this.getAttribute('tree') ?? '', path: folder ? `${folder}/${u.path}` : u.path, when: u.when };
  }

  /** @param {Upload} u */
  #send(u) {
    if (this.hasAttribute('parts') && u.file.size >= IN_PARTS) {
      void this.#sendParts(u);
      return;
    }
    const q = new URLSearchParams(this.#where(u));
    const x = new XMLHttpRequest();
    u.state = 'sending';
    u.request = x;
    x.open('PUT', `${this.getAttribute('url')}?${q}`);
    x.setRequestHeader('Content-Type', 'application/octet-stream');
    x.upload.addEventListener('progress', (e) => {
      const bar = u.row?.querySelector('progress');
      if (bar && e.lengthComputable) bar.value = e.loaded / e.total;
    });
    const end = (/** @type {Upload['state']} */ state, /** @type {string} */ why) => {
      if (u.request !== x) return; // taken back by a pause
      u.request = undefined;
      u.state = state;
      u.why = why;
      this.#row(u);
      this.#summary();
      this.#next();
    };
    x.addEventListener('load', () => {
      if (x.status === 200) return end('done', t('js.files.done'));
      let why = `${x.status}`;
      try {
        why = JSON.parse(x.responseText).error ?? why;
      } catch {
        // an answer of something in between
      }
      return x.status === 409 ? end('taken', t('js.files.exists')) : end('failed', why);
    });
    x.addEventListener('error', () => end('failed', t('js.files.offline')));
    x.addEventListener('timeout', () => end('failed', t('js.files.offline')));
    this.#row(u);
    x.send(u.file);
  }

  /**
   * One request about an upload in parts. A status of 0 is a connection that broke.
   * @param {Upload} u @param {string} method @param {string} more behind the address @param {Record<string, string>} query @param {Blob} [body]
   * @returns {Promise<{status: number, id: string, received: number, part: number, error?: string}>}
   */
  #ask(u, method, more, query, body) {
    return new Promise((ok) => {
      const x = new XMLHttpRequest();
      u.request = x;
      x.open(method, `${this.getAttribute('parts')}${more}?${new URLSearchParams(query)}`);
      x.setRequestHeader('Content-Type', 'application/octet-stream');
      const offset = Number(query.offset ?? 0);
      if (body) x.upload.addEventListener('progress', (e) => this.#progress(u, offset + e.loaded));
      x.addEventListener('loadend', () => {
        let answer = {};
        try {
          answer = JSON.parse(x.responseText);
        } catch {
          // an answer of something in between, or none
        }
        ok(/** @type {any} */ ({ received: 0, ...answer, status: x.status }));
      });
      x.send(body ?? null);
    });
  }

  /** @param {Upload} u @param {number} sent in bytes */
  #progress(u, sent) {
    u.share = u.file.size ? sent / u.file.size : 1;
    const bar = u.row?.querySelector('progress');
    if (bar) bar.value = u.share;
  }

  /** @param {Upload} u */
  async #sendParts(u) {
    const turn = (u.turn = (u.turn ?? 0) + 1); // a pause begins another one
    const end = (/** @type {Upload['state']} */ state, /** @type {string} */ why) => {
      u.request = undefined;
      u.state = state;
      u.why = why;
      this.#row(u);
      this.#summary();
      this.#next();
    };
    const say = (/** @type {string} */ why) => {
      u.why = why;
      this.#row(u);
    };
    u.state = 'sending';
    say('');
    /** @type {{id: string, received: number, part: number} | null} */
    let at = null;
    for (let tries = 0; ; ) {
      const { size } = u.file;
      const last = at !== null && at.received >= size;
      let answer;
      if (at === null) answer = await this.#ask(u, 'POST', '', { ...this.#where(u), size: String(size), modified: String(u.file.lastModified) });
      else if (last) answer = await this.#ask(u, 'POST', '/finish', { ...this.#where(u), id: at.id });
      else answer = await this.#ask(u, 'PUT', '', { id: at.id, offset: String(at.received) }, u.file.slice(at.received, at.received + at.part));
      if (u.turn !== turn) return;
      if (answer.status === 0 || (answer.status >= 502 && answer.status <= 504)) {
        if (++tries > TRIES) return end('failed', t('js.files.offline'));
        say(t('js.files.again'));
        await new Promise((ok) => setTimeout(ok, 250 * 2 ** tries));
        if (u.turn !== turn) return;
        at = null; // what arrived is known to the server
        continue;
      }
      if (answer.status === 409) return end('taken', t('js.files.exists'));
      if (answer.status !== 200) return end('failed', answer.error ?? `${answer.status}`);
      if (last) return end('done', t('js.files.done'));
      tries = 0;
      this.#progress(u, answer.received);
      if (at === null && answer.received > 0) say(t('js.files.resumed', { percent: Math.floor((100 * answer.received) / size) }));
      else if (answer.received >= size) say(t('js.files.saving'));
      at = answer;
    }
  }

  /** Stops what is being sent; a small file begins again from its start. */
  pause() {
    this.paused = !this.paused;
    if (this.paused) {
      for (const u of this.uploads) {
        if (u.state !== 'sending') continue;
        const x = u.request;
        u.request = undefined;
        u.turn = (u.turn ?? 0) + 1;
        u.why = '';
        u.state = 'waiting';
        x?.abort();
        this.#row(u);
      }
    }
    this.#draw();
    this.#next();
  }

  /** Shows the list of files anew. */
  async #renew() {
    const list = document.getElementById('list');
    if (this.hasAttribute('name') || !list) {
      location.reload();
      return;
    }
    const answer = await fetch(location.href, { headers: { 'HX-Request': 'true', 'HX-Request-Type': 'partial', 'HX-Target': 'div#list' } }).catch(() => null);
    if (!answer?.ok) return;
    const part = document.createRange().createContextualFragment(await answer.text()).querySelector('#list');
    if (!part) return;
    list.replaceWith(part);
    /** @type {any} */ (window).htmx?.process(part);
  }

  #draw() {
    const box = /** @type {HTMLElement | null} */ (this.querySelector('.uploads'));
    if (!box) return;
    box.hidden = this.uploads.length === 0;
    box.replaceChildren();
    const head = document.createElement('header');
    const sum = document.createElement('b');
    sum.className = 'grow num';
    head.append(sum);
    if (this.uploads.some((u) => u.state === 'waiting' || u.state === 'sending')) {
      head.append(button(t(this.paused ? 'js.files.resume' : 'js.files.pause'), 'uploads.pause', () => this.pause()));
    } else {
      head.append(
        button(t('js.files.clear'), 'uploads.clear', () => {
          this.uploads = [];
          this.#draw();
        }),
      );
    }
    const taken = this.uploads.filter((u) => u.state === 'taken');
    if (taken.length > 1) {
      head.append(
        button(`${t('js.files.replace')} (${taken.length})`, 'uploads.replace_all', () => taken.forEach((u) => this.#again(u, 'replace'))),
        button(`${t('js.files.keep_both')} (${taken.length})`, 'uploads.both_all', () => taken.forEach((u) => this.#again(u, 'both'))),
      );
    }
    const list = document.createElement('ul');
    for (const u of this.uploads) {
      u.row = document.createElement('li');
      list.append(u.row);
      this.#row(u);
    }
    box.append(head, list);
    this.#summary();
  }

  #summary() {
    const sum = this.querySelector('.uploads header b');
    if (sum) sum.textContent = `${this.uploads.filter((u) => u.state === 'done').length} / ${this.uploads.length}`;
    const busy = this.uploads.some((u) => u.state === 'waiting' || u.state === 'sending');
    if (!busy && this.querySelector('[data-test="uploads.pause"]')) this.#draw();
  }

  /** @param {Upload} u @param {Upload['when']} when */
  #again(u, when) {
    u.when = when;
    u.state = 'waiting';
    u.why = '';
    this.#draw();
    this.#next();
  }

  /** @param {Upload} u */
  #row(u) {
    if (!u.row) return;
    const name = document.createElement('span');
    name.className = 'break';
    name.textContent = u.path;
    u.row.dataset.state = u.state;
    const bar = document.createElement('progress');
    bar.max = 1;
    bar.value = u.state === 'done' ? 1 : (u.share ?? 0);
    bar.setAttribute('aria-label', u.path);
    const end = document.createElement('span');
    end.className = 'row';
    const why = document.createElement('span');
    why.className = 'why';
    why.textContent = u.why || t({ waiting: 'js.files.waiting', sending: 'js.files.uploading', done: 'js.files.done', failed: 'js.files.failed', taken: 'js.files.exists' }[u.state]);
    end.append(why);
    if (u.state === 'failed') end.append(button(t('js.files.retry'), 'upload.retry', () => this.#again(u, u.when)));
    if (u.state === 'taken') {
      end.append(
        button(t('js.files.replace'), 'upload.replace', () => this.#again(u, 'replace')),
        button(t('js.files.keep_both'), 'upload.both', () => this.#again(u, 'both')),
        button(t('js.files.skip'), 'upload.skip', () => {
          this.uploads = this.uploads.filter((x) => x !== u);
          this.#draw();
          this.#next();
        }),
      );
    }
    u.row.replaceChildren(name, bar, end);
  }
}

/** @param {string} label @param {string} test @param {() => void} fn */
function button(label, test, fn) {
  const b = document.createElement('button');
  b.type = 'button';
  b.className = 'btn sm';
  b.dataset.test = test;
  b.textContent = label;
  b.addEventListener('click', fn);
  return b;
}

customElements.get('file-drop') ?? customElements.define('file-drop', FileDrop);
