// @ts-check
/**
 * `<code-field language="sql">` around a `<textarea>`: a code editor that is loaded when first seen. The textarea stays
 * the value that forms send; without script, or when the editor cannot be loaded, it is the editor.
 *
 * Attributes: `language`, `label`, `readonly`. Property `names`: a function that lists what to offer after `${`.
 */
import { icon, t } from '../messages.js';

const MODULE = new URL('../../vendor/codemirror/editor.js', import.meta.url).href;
const WRAP = 'dorado.code.nowrap';

/** Time expressions offered after `$[`, as DolphinScheduler reads them. */
export const TIME_EXPRESSIONS = [
  '$[yyyyMMdd]', '$[yyyy-MM-dd]', '$[yyyyMMdd-1]', '$[yyyyMMdd+1]', '$[yyyyMMdd-7*1]', '$[HHmmss]', '$[HHmmss-1/24]', '$[yyyyMMddHHmmss-30/24/60]',
  '$[add_months(yyyyMMdd,-1)]', '$[add_months(yyyyMMdd,12*1)]', '$[month_first_day(yyyy-MM-dd,0)]', '$[month_last_day(yyyy-MM-dd,0)]', '$[week_first_day(yyyy-MM-dd,0)]',
  '$[week_last_day(yyyy-MM-dd,0)]', '$[this_day(yyyy-MM-dd)]', '$[last_day(yyyy-MM-dd)]', '$[year_week(yyyy-MM-dd)]', '$[year_week(yyyy-MM-dd,5)]',
];

/**
 * What to offer for the text before the caret: references after `${`, time expressions after `$[`.
 * @param {string} before @param {{name: string, source: string}[]} names
 * @returns {{from: number, options: {label: string, detail?: string, type: string}[]} | null} `from` counts from the end, negative
 */
export function complete(before, names) {
  const m = /\$(\{[\w.\-]*|\[[^\]\s]*)?$/.exec(before);
  if (!m) return null;
  const open = m[1]?.[0];
  /** @type {{label: string, detail?: string, type: string}[]} */
  const options = [];
  if (open !== '[') options.push(...names.map((n) => ({ label: `\${${n.name}}`, detail: sourceText(n.source), type: 'variable' })));
  if (open !== '{') options.push(...TIME_EXPRESSIONS.map((label) => ({ label, type: 'function' })));
  return { from: -m[0].length, options };
}

/** @param {string} source */
function sourceText(source) {
  if (source === 'upstream') return t('js.editor.param.upstream');
  if (source === 'global') return t('js.editor.param.global');
  if (source === 'builtin') return t('js.editor.param.builtin');
  return t('js.editor.param.local');
}

function nonce() {
  const meta = /** @type {HTMLMetaElement | null} */ (document.querySelector('meta[name="csp-nonce"]'));
  return meta?.content || /** @type {HTMLElement | null} */ (document.querySelector('script[nonce], style[nonce], link[nonce]'))?.nonce || '';
}

export class CodeField extends HTMLElement {
  /** @type {(() => {name: string, source: string}[]) | undefined} */ names;
  /** @type {any} */ view = null;
  /** @type {IntersectionObserver | null} */ #seen = null;
  #loading = false;

  connectedCallback() {
    this.area = this.querySelector('textarea');
    if (!this.area || this.#seen) return;
    this.#bar();
    this.#seen = new IntersectionObserver((entries) => {
      if (entries.some((e) => e.isIntersecting)) void this.#load();
    });
    this.#seen.observe(this);
  }
  disconnectedCallback() {
    this.#seen?.disconnect();
    this.#seen = null;
    if (this.view && this.area) {
      this.view.destroy();
      this.view = null;
      this.area.hidden = false;
      this.querySelector('.code-bar')?.remove();
    }
  }
  get value() {
    return this.view ? this.view.state.doc.toString() : (this.area?.value ?? '');
  }
  set value(text) {
    if (this.area) this.area.value = text;
    if (this.view && this.view.state.doc.toString() !== text) this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } });
  }
  focusEditor() {
    if (this.view) this.view.focus();
    else this.area?.focus();
  }

  #bar() {
    const bar = document.createElement('div');
    bar.className = 'code-bar';
    const name = document.createElement('span');
    name.className = 'code-language';
    name.textContent = this.getAttribute('language') ?? '';
    const button = (/** @type {string} */ label, /** @type {string} */ iconName, /** @type {string} */ test, /** @type {() => void} */ fn) => {
      const b = document.createElement('button');
      b.type = 'button';
      b.className = 'btn ghost icon sm';
      b.title = label;
      b.setAttribute('aria-label', label);
      b.dataset.test = test;
      b.append(icon(iconName));
      b.addEventListener('click', fn);
      return b;
    };
    this.wrapButton = button(t('js.editor.code.wrap'), 'wrap-text', 'code.wrap', () => this.#wrap(!this.hasAttribute('data-nowrap')));
    this.fullButton = button(t('js.editor.code.fullscreen'), 'maximize', 'code.fullscreen', () => this.#full(!this.hasAttribute('data-full')));
    bar.append(name, this.wrapButton, this.fullButton);
    this.prepend(bar);
    let off = false;
    try {
      off = localStorage.getItem(WRAP) === '1';
    } catch {
      off = false;
    }
    this.#wrap(off);
    this.addEventListener('keydown', (e) => {
      if (e.key === 'Escape' && this.hasAttribute('data-full')) {
        e.preventDefault();
        e.stopPropagation();
        this.#full(false);
      }
    });
  }
  /** @param {boolean} off */
  #wrap(off) {
    this.toggleAttribute('data-nowrap', off);
    this.wrapButton?.setAttribute('aria-pressed', String(!off));
    if (this.area) this.area.wrap = off ? 'off' : 'soft';
    try {
      localStorage.setItem(WRAP, off ? '1' : '0');
    } catch {
      // only a comfort
    }
    this.view?.requestMeasure();
  }
  /** @param {boolean} on */
  #full(on) {
    this.toggleAttribute('data-full', on);
    this.fullButton?.setAttribute('aria-pressed', String(on));
    this.view?.requestMeasure();
    this.focusEditor();
  }

  async #load() {
    if (this.#loading || this.view) return;
    this.#loading = true;
    try {
      const cm = await import(MODULE);
      const language = await cm.language(this.getAttribute('language') ?? '');
      if (this.isConnected && !this.view) this.#mount(cm, language);
    } catch {
      // The textarea stays.
    } finally {
      this.#loading = false;
    }
  }
  /** @param {any} cm @param {any} language */
  #mount(cm, language) {
    const area = /** @type {HTMLTextAreaElement} */ (this.area);
    const focused = document.activeElement === area;
    const { selectionStart, selectionEnd } = area;
    const readOnly = this.hasAttribute('readonly') || area.disabled || area.readOnly;
    const source = (/** @type {any} */ ctx) => {
      const line = ctx.state.doc.lineAt(ctx.pos);
      const found = complete(line.text.slice(0, ctx.pos - line.from), this.names?.() ?? []);
      return found && found.options.length ? { from: ctx.pos + found.from, options: found.options, filter: true } : null;
    };
    const extensions = [
      cm.basics(),
      language,
      cm.EditorState.languageData.of(() => [{ autocomplete: source }]),
      cm.EditorView.updateListener.of((/** @type {any} */ u) => {
        if (!u.docChanged) return;
        area.value = u.state.doc.toString();
        area.dispatchEvent(new Event('input', { bubbles: true }));
      }),
      cm.EditorView.domEventHandlers({ blur: () => void area.dispatchEvent(new Event('change', { bubbles: true })) }),
      cm.EditorView.contentAttributes.of({ 'aria-label': this.getAttribute('label') ?? '', 'data-test': area.dataset.test ? `${area.dataset.test}.editor` : 'code.editor' }),
    ];
    const n = nonce();
    if (n) extensions.push(cm.EditorView.cspNonce.of(n));
    if (readOnly) extensions.push(cm.EditorState.readOnly.of(true), cm.EditorView.editable.of(false));
    this.view = new cm.EditorView({ doc: area.value, parent: this, extensions, selection: focused ? { anchor: selectionStart, head: selectionEnd } : undefined });
    area.hidden = true;
    if (focused) this.view.focus();
  }
}

customElements.get('code-field') ?? customElements.define('code-field', CodeField);
