// @ts-check
/**
 * The YAML view: the same document as text, in both directions. The server turns one into the other, so there is one
 * understanding of the form; it keeps comments, order and spelling of what was typed. A text that is wrong changes
 * nothing until it is right.
 */
import { t } from '../messages.js';
import { call } from './api.js';
import { h, icon } from './dom.js';
import { edgeId, same } from './model.js';

/** @typedef {import('./editor.js').DagEditor} DagEditor */
/** @typedef {{line: number, column: number, message: string, severity: string}} TextProblem */
/** @typedef {import('./types.js').Definition} Definition @typedef {import('./model.js').Patch} Patch */

const QUIET = 400; // ms after the last key
const MODULE = new URL('../../vendor/codemirror/editor.js', import.meta.url).href;

/**
 * What has to change for a model to say what a definition says.
 * @param {import('./model.js').Model} model @param {Definition} def @returns {Patch | null} null when nothing
 */
export function difference(model, def) {
  /** @type {Required<Pick<Patch, 'tasks' | 'edges' | 'places'>>} */
  const p = { tasks: [], edges: [], places: [] };
  const tasks = new Map(def.tasks.map((x) => [x.code, x]));
  for (const [code, task] of model.tasks) if (!tasks.has(code)) p.tasks.push([code, task, null]);
  for (const [code, task] of tasks) {
    const old = model.tasks.get(code) ?? null;
    if (!old) p.tasks.push([code, null, task]);
    else if (!same({ ...old, version: 0 }, { ...old, ...task, version: 0 })) p.tasks.push([code, old, { ...old, ...task }]);
  }
  const edges = new Map(def.relations.map((e) => [edgeId(e.preTaskCode, e.postTaskCode), { name: '', ...e }]));
  for (const [id, e] of model.edges) if (!edges.has(id)) p.edges.push([id, e, null]);
  for (const [id, e] of edges) {
    const old = model.edges.get(id) ?? null;
    if (!old || (old.name ?? '') !== e.name) p.edges.push([id, old, e]);
  }
  const places = new Map((def.locations ?? []).map((l) => [l.taskCode, { x: l.x, y: l.y }]));
  for (const [code, at] of model.places) if (!tasks.has(code)) p.places.push([code, at, null]);
  for (const [code, at] of places) {
    const old = model.places.get(code) ?? null;
    if (!same(old, at)) p.places.push([code, old, at]);
  }
  const meta = { name: def.name, description: def.description, timeout: def.timeout, executionType: def.executionType, globalParams: def.globalParams };
  const changed = !same(model.meta, { ...model.meta, ...meta });
  if (!changed && !p.tasks.length && !p.edges.length && !p.places.length) return null;
  return { what: 'edit', count: Math.max(1, p.tasks.length), ...p, ...(changed ? { meta: [model.meta, { ...model.meta, ...meta }] } : {}) };
}

export class YamlView {
  /** What the text says, or said when it was last right. @type {any} */ before = null;
  /** The text that goes with `before`. */ source = '';
  /** @type {TextProblem[]} */ problems = [];
  #timer = 0;
  #turn = 0;
  #applying = false;
  /** @type {Promise<void> | null} */ #reading = null;

  /** @param {DagEditor} editor */
  constructor(editor) {
    this.editor = editor;
    this.area = h('textarea.input.mono', { spellcheck: 'false', 'aria-label': t('js.yaml.label'), 'data-test': 'editor.yaml', readonly: editor.readOnly });
    this.field = /** @type {import('../elements/code-field.js').CodeField} */ (h('code-field', { language: 'yaml', label: t('js.yaml.label'), readonly: editor.readOnly }, this.area));
    this.state = h('span', { role: 'status', 'data-test': 'editor.yaml.state' });
    this.foot = h('div.dag-yaml-state', null, this.state);
    this.list = h('ul.dag-yaml-problems', { 'data-test': 'editor.yaml.problems', hidden: true });
    this.el = h('section.dag-yaml', { 'aria-label': t('js.yaml.label'), hidden: true }, this.field, this.list, this.foot);
    this.area.addEventListener('input', () => this.#typed());
    editor.model.addEventListener('change', () => {
      if (this.open && !this.#applying) this.#later(() => void this.write());
    });
  }
  get open() {
    return !this.el.hidden;
  }
  /** @param {boolean} show */
  async show(show) {
    if (!show) await this.flush();
    this.el.hidden = !show;
    this.editor.toggleAttribute('data-yaml', show);
    if (!show) return;
    const { definition } = this.editor.data;
    await this.write();
    if (definition.unfinished && !this.editor.readOnly) {
      this.field.value = definition.unfinished;
      await this.read();
    }
  }
  /** The text says something that the canvas does not. */
  get broken() {
    return this.open && !this.editor.readOnly && this.field.value !== this.source;
  }
  #definition() {
    return { ...this.editor.data.definition, ...this.editor.model.toDefinition(), source: undefined };
  }
  /** @param {() => void} fn */
  #later(fn) {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(fn, QUIET);
  }
  /** Bring the text in step with the canvas. */
  async write() {
    const turn = ++this.#turn;
    const definition = this.#definition();
    try {
      const res = await call('POST', `${this.editor.data.urls.yaml}/write`, { source: this.source || this.editor.data.definition.source || '', before: this.before, definition });
      if (turn !== this.#turn) return;
      this.source = res.yaml;
      this.before = definition;
      if (this.editor.data.definition.source) this.editor.data.definition.source = res.yaml;
      if (this.field.value !== res.yaml) this.field.value = res.yaml;
      clearTimeout(this.#timer);
      this.#say([]);
    } catch (err) {
      this.editor.failed(err);
    }
  }
  #typed() {
    if (this.editor.readOnly || !this.open || this.field.value === this.source) return;
    this.state.textContent = t('js.yaml.checking');
    this.#later(() => void this.read());
  }
  /** Bring the canvas in step with the text now. */
  async flush() {
    clearTimeout(this.#timer);
    if (this.open && !this.editor.readOnly && this.field.value !== this.source) await this.read();
  }
  async read() {
    await this.#reading;
    this.#reading = this.#read();
    await this.#reading;
  }
  async #read() {
    const turn = ++this.#turn;
    const source = this.field.value;
    try {
      const res = await call('POST', `${this.editor.data.urls.yaml}/read`, { source, definition: this.#definition() });
      if (turn !== this.#turn) return;
      if (res.definition) this.#apply(res.definition, source);
      else this.#keep(source);
      this.#say(res.problems ?? []);
    } catch (err) {
      this.editor.failed(err);
    }
  }
  /** A text that is not right yet waits in the draft. @param {string} source */
  #keep(source) {
    const { data, draft } = this.editor;
    if (data.definition.unfinished === source) return;
    data.definition.unfinished = source;
    draft.touch();
  }
  /** @param {Definition} def @param {string} source */
  #apply(def, source) {
    const { model, data } = this.editor;
    delete data.definition.unfinished;
    data.definition.source = source;
    this.source = source;
    const patch = difference(model, def);
    this.#applying = true;
    try {
      if (patch) model.commit({ ...patch, merge: 'yaml', origin: 'yaml' });
      else this.editor.draft.touch(); // only a comment changed
    } finally {
      this.#applying = false;
    }
    this.before = this.#definition();
  }
  /** @param {TextProblem[]} problems */
  #say(problems) {
    this.problems = problems;
    const bad = problems.filter((p) => p.severity === 'error').length;
    this.foot.toggleAttribute('data-bad', bad > 0);
    this.state.textContent = bad ? t('js.yaml.bad', { count: bad }) : t('js.yaml.applied');
    this.list.hidden = !problems.length;
    this.list.replaceChildren(...problems.map((p) => h('li', null, h('button', { type: 'button', 'data-test': 'editor.yaml.problem', 'data-severity': p.severity, onclick: () => this.goTo(p) },
      icon(p.severity === 'error' ? 'circle-x' : 'warn'), h('b', null, t('js.yaml.line', { line: p.line })), h('span', null, p.message)))));
    void this.#mark();
  }
  /** @param {TextProblem} p */
  goTo(p) {
    const { view } = this.field;
    if (view) {
      const line = view.state.doc.line(Math.min(p.line, view.state.doc.lines));
      view.dispatch({ selection: { anchor: Math.min(line.from + p.column - 1, line.to) }, scrollIntoView: true });
      view.focus();
      return;
    }
    const lines = /** @type {string} */ (this.area.value).split('\n');
    const at = lines.slice(0, p.line - 1).reduce((n, l) => n + l.length + 1, 0) + p.column - 1;
    this.area.focus();
    this.area.setSelectionRange(at, at);
  }
  /** Mark the lines with problems in the code editor. */
  async #mark() {
    const { view } = this.field;
    if (!view) return;
    const cm = await import(MODULE);
    if (this.field.view !== view) return;
    const { doc } = view.state;
    const marks = this.problems.map((p) => {
      const line = doc.line(Math.min(p.line, doc.lines));
      const from = Math.min(line.from + p.column - 1, line.to);
      return { from, to: Math.max(from, line.to), severity: p.severity === 'error' ? 'error' : 'warning', message: p.message };
    });
    view.dispatch(cm.setDiagnostics(view.state, marks));
  }
}
