// @ts-check
/**
 * <cron-field>: an expression that is typed, chosen from presets or built, with a preview of what it means. The text is
 * what counts; the builder shows what the text says and writes into it. Checking, words and times come from the server
 * (data-url), so that what is promised here is what happens.
 */
import { decode, encode, join, split, UNITS, written } from './cron-model.js';

/** @typedef {import('./cron-model.js').Unit} Unit */
/** @typedef {import('./cron-model.js').Choice} Choice */

const WAIT = 250;

/** The first choice of a tab, which another must be preferred to. */
const start = '0 0 0 * * ? *';

class CronField extends HTMLElement {
  /** @type {AbortController | undefined} */
  #pending;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #stop = new AbortController();
  /** The expression in seven fields, as far as it has them. @type {import('./cron-model.js').Parts | null} */
  #parts = null;
  /** @type {Element | null} the panel in which somebody works; it is not written over */
  #busy = null;

  connectedCallback() {
    this.#stop = new AbortController();
    const signal = this.#stop.signal;
    const form = this.closest('form');
    form?.addEventListener('input', (e) => this.#changed(e), { signal });
    form?.addEventListener('change', (e) => this.#changed(e), { signal });
    this.querySelector('[data-presets]')?.addEventListener('change', (e) => this.#preset(e), { signal });
    this.querySelector('[data-toggle-builder]')?.addEventListener('click', () => this.#toggle(), { signal });
    const builder = this.#builder();
    builder?.addEventListener('click', (e) => this.#tab(e), { signal });
    builder?.addEventListener('keydown', (e) => this.#keys(e), { signal });
    this.#read();
  }

  disconnectedCallback() {
    this.#stop.abort();
    this.#pending?.abort();
    clearTimeout(this.#timer);
  }

  get #input() {
    return /** @type {HTMLInputElement} */ (this.querySelector('[name=crontab]'));
  }

  #builder() {
    return /** @type {HTMLElement | null} */ (this.querySelector('[data-builder]'));
  }

  get #preview() {
    return /** @type {HTMLElement} */ (this.querySelector('[data-preview]'));
  }

  /** @param {Event} e */
  #changed(e) {
    const at = /** @type {Element} */ (e.target);
    const builder = this.#builder();
    if (builder?.contains(at)) {
      this.#build(at);
      return;
    }
    if (at.matches('[data-presets]')) return;
    const named = ['crontab', 'time_zone', 'start_time', 'end_time', 'calendar', 'calendar_policy'];
    if (!named.includes(/** @type {HTMLInputElement} */ (at).name)) return;
    if (at === this.#input) this.#read();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), WAIT);
  }

  /** Writes a text as if somebody had typed it. @param {string} text */
  #write(text) {
    if (this.#input.value === text) return;
    this.#input.value = text;
    this.#input.dispatchEvent(new Event('input', { bubbles: true }));
  }

  /** @param {Event} e */
  #preset(e) {
    const select = /** @type {HTMLSelectElement} */ (e.target);
    if (select.value) this.#write(select.value);
    select.value = '';
    this.#input.focus();
  }

  async #ask() {
    const form = this.closest('form');
    if (!form) return;
    this.#pending?.abort();
    const pending = (this.#pending = new AbortController());
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (typeof value === 'string' && !name.startsWith('param_')) query.append(name, value);
    }
    try {
      const res = await fetch(`${this.dataset.url}?${query}`, {
        signal: pending.signal,
        credentials: 'same-origin',
        headers: { Accept: 'text/html' },
      });
      if (!res.ok) return;
      const html = await res.text();
      if (pending.signal.aborted) return;
      this.#preview.innerHTML = html; // our own page's part, escaped by the server
    } catch {
      return; // replaced by a newer question, or the network is away: the old answer stays
    }
    const wrong = this.#preview.querySelector('[data-cron-error]') !== null;
    if (wrong) this.#input.setAttribute('aria-invalid', 'true');
    else this.#input.removeAttribute('aria-invalid');
    const said = this.querySelector('[data-said]');
    const say = /** @type {HTMLElement | null} */ (this.#preview.querySelector('[data-say]'))?.dataset.say ?? '';
    if (said && said.textContent !== say) said.textContent = say;
    this.#read();
  }

  /** Takes the text apart, and shows it in the builder. */
  #read() {
    const means = /** @type {HTMLElement | null} */ (this.#preview.querySelector('[data-quartz]'));
    this.#parts = split(this.#input.value) ?? split(means?.dataset.quartz ?? '');
    const builder = this.#builder();
    if (!builder || builder.hidden) return;
    const cannot = /** @type {HTMLElement | null} */ (builder.querySelector('[data-cannot]'));
    if (cannot) cannot.hidden = this.#parts !== null;
    const parts = this.#parts ?? split(start);
    if (!parts) return;
    for (const unit of UNITS) {
      const label = builder.querySelector(`[data-field-text="${unit}"]`);
      if (label) label.textContent = this.#parts ? written(unit, parts) : '';
      const panel = builder.querySelector(`[data-panel="${unit}"]`);
      if (panel && panel !== this.#busy) show(panel, decode(unit, parts), written(unit, parts));
    }
  }

  #toggle() {
    const builder = this.#builder();
    const button = this.querySelector('[data-toggle-builder]');
    if (!builder || !button) return;
    builder.hidden = !builder.hidden;
    button.setAttribute('aria-expanded', String(!builder.hidden));
    if (builder.hidden) return;
    this.#read();
    /** @type {HTMLElement | null} */ (builder.querySelector('[role=tab][aria-selected=true]'))?.focus();
  }

  /** Something in a panel changed. @param {Element} at */
  #build(at) {
    const panel = at.closest('[data-panel]');
    const unit = /** @type {Unit | undefined} */ (/** @type {HTMLElement | null} */ (panel)?.dataset.panel);
    if (!panel || !unit) return;
    const mode = at.matches('[data-mode]') ? at : choiceOf(panel, at);
    if (!(mode instanceof HTMLInputElement)) return;
    mode.checked = true;
    const parts = this.#parts ?? split(start);
    if (!parts) return;
    this.#busy = panel;
    this.#write(join(encode(unit, parts, chosen(panel, mode))));
    this.#busy = null;
  }

  /** @param {Event} e */
  #tab(e) {
    const tab = /** @type {Element} */ (e.target).closest('[role=tab]');
    if (tab) this.#choose(/** @type {HTMLElement} */ (tab));
  }

  /** @param {KeyboardEvent} e */
  #keys(e) {
    const tab = /** @type {Element} */ (e.target).closest('[role=tab]');
    if (e.key === 'Enter' && e.target instanceof HTMLInputElement) {
      e.preventDefault(); // a number in the builder does not send the form
      return;
    }
    if (!tab) return;
    const tabs = /** @type {HTMLElement[]} */ ([...(this.#builder()?.querySelectorAll('[role=tab]') ?? [])]);
    const n = tabs.indexOf(/** @type {HTMLElement} */ (tab));
    /** @type {Record<string, number>} */
    const to = { ArrowRight: n + 1, ArrowLeft: n - 1, Home: 0, End: tabs.length - 1 };
    const next = to[e.key];
    if (next === undefined) return;
    e.preventDefault();
    const target = tabs[(next + tabs.length) % tabs.length];
    if (target) this.#choose(target);
    target?.focus();
  }

  /** @param {HTMLElement} tab */
  #choose(tab) {
    const builder = this.#builder();
    for (const t of builder?.querySelectorAll('[role=tab]') ?? []) {
      t.setAttribute('aria-selected', String(t === tab));
      t.setAttribute('tabindex', t === tab ? '0' : '-1');
    }
    for (const p of /** @type {NodeListOf<HTMLElement>} */ (builder?.querySelectorAll('[data-panel]') ?? [])) {
      p.hidden = p.dataset.panel !== tab.dataset.tab;
    }
  }
}

/**
 * The choice that a number, a select or a box belongs to.
 * @param {Element} panel
 * @param {Element} at
 */
function choiceOf(panel, at) {
  const values = /** @type {HTMLElement | null} */ (at.closest('[data-values]'));
  if (values) return panel.querySelector(`[data-mode="${values.dataset.values}"]`);
  return at.closest('.check-row')?.querySelector('[data-mode]');
}

/**
 * What a panel says.
 * @param {Element} panel
 * @param {HTMLInputElement} mode
 * @returns {Choice}
 */
function chosen(panel, mode) {
  /** @type {Choice} */
  const c = { mode: mode.value };
  const row = mode.closest('.check-row');
  for (const arg of /** @type {NodeListOf<HTMLInputElement>} */ (row?.querySelectorAll('[data-arg]') ?? [])) {
    if (arg.dataset.arg === 'text') c.text = arg.value;
    else if (arg.dataset.arg === 'n') c.n = Number(arg.value);
    else if (arg.dataset.arg === 'a') c.a = Number(arg.value);
    else c.b = Number(arg.value);
  }
  const values = panel.querySelector(`[data-values="${mode.value}"]`);
  if (values) {
    const boxes = /** @type {HTMLInputElement[]} */ ([...values.querySelectorAll('[data-value]')]);
    c.values = boxes.filter((b) => b.checked).map((b) => Number(b.value));
  }
  return c;
}

/**
 * Shows a choice in a panel.
 * @param {Element} panel
 * @param {Choice} c
 * @param {string} text
 */
function show(panel, c, text) {
  let mode = /** @type {HTMLInputElement | null} */ (panel.querySelector(`[data-mode="${c.mode}"]`));
  const values = panel.querySelector(`[data-values="${c.mode}"]`);
  const boxes = /** @type {HTMLInputElement[]} */ ([...(values?.querySelectorAll('[data-value]') ?? [])]);
  const known = new Set(boxes.map((b) => Number(b.value)));
  if (c.values?.some((v) => !known.has(v))) mode = panel.querySelector('[data-mode="text"]'); // a year that has no box
  if (!mode) return;
  mode.checked = true;
  for (const b of /** @type {NodeListOf<HTMLInputElement>} */ (panel.querySelectorAll('[data-value]'))) {
    b.checked = boxes.includes(b) && (c.values?.includes(Number(b.value)) ?? false);
  }
  const typed = /** @type {HTMLInputElement | null} */ (panel.querySelector('[data-arg=text]'));
  if (typed) typed.value = text;
  for (const arg of /** @type {NodeListOf<HTMLInputElement>} */ (mode.closest('.check-row')?.querySelectorAll('[data-arg]') ?? [])) {
    const v = arg.dataset.arg === 'n' ? c.n : arg.dataset.arg === 'a' ? c.a : arg.dataset.arg === 'b' ? c.b : undefined;
    if (v !== undefined) arg.value = String(v);
  }
}

customElements.define('cron-field', CronField);
