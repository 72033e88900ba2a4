// @ts-check
/**
 * `<dag-editor>`: the workflow editor and, in read-only mode with run states, the picture of a run. It takes its data
 * from `<script type="application/json" id="dag-data">`. This file joins the parts; what they do is in their own files.
 */
import { t } from '../messages.js';
import '../elements/code-field.js';
import { ApiError, Codes, Draft, call } from './api.js';
import { inStep, labelRoom } from './branch.js';
import { check as inspect } from './check.js';
import { COMMANDS, contextMenu, quickAdd } from './commands.js';
import { prompt } from './dialogs.js';
import { h, icon } from './dom.js';
import { snap } from './geometry.js';
import { Input } from './input.js';
import { EDITS } from './keys.js';
import { List } from './list.js';
import { LiveRun } from './live.js';
import { Lookup } from './lookup.js';
import { Minimap } from './minimap.js';
import { Model, NODE_H, NODE_W } from './model.js';
import { Palette, menu, remember } from './palette.js';
import { Panel } from './panel.js';
import { Pointers } from './pointer.js';
import { draftConflict } from './publish.js';
import { Types, newTask, preferred } from './schema.js';
import { ProblemPanel, Toolbar } from './toolbar.js';
import { View } from './view.js';
import { YamlView } from './yaml.js';

/** @typedef {import('./types.js').PageData} PageData @typedef {import('./types.js').Problem} Problem */
/** @typedef {import('./types.js').RunState} RunState @typedef {import('./types.js').Point} Point */

/** @type {any} fields that have no value before start() */
const LATER = undefined;
const PRIORITIES = ['HIGHEST', 'HIGH', 'MEDIUM', 'LOW', 'LOWEST'];

export class DagEditor extends HTMLElement {
  model = new Model();
  // The parts; start() makes them.
  /** @type {PageData} */ data = LATER;
  /** @type {Types} */ types = LATER;
  /** @type {Codes} */ codes = LATER;
  /** @type {Draft} */ draft = LATER;
  /** @type {View} */ view = LATER;
  /** @type {Minimap} */ minimap = LATER;
  /** @type {Panel} */ panel = LATER;
  /** @type {Toolbar} */ toolbar = LATER;
  /** @type {List} */ list = LATER;
  /** @type {YamlView} */ yaml = LATER;
  /** @type {ProblemPanel} */ problemPanel = LATER;
  /** @type {Pointers} */ pointers = LATER;
  /** @type {Lookup} */ lookup = LATER;
  /** @type {LiveRun} */ liveRun = LATER;
  /** @type {Palette | null} */ palette = null;
  /** @type {HTMLElement} */ overlay = LATER;
  /** @type {HTMLElement} */ live = LATER;
  /** @type {HTMLElement} */ bannerEl = LATER;
  /** @type {HTMLElement} */ modeEl = LATER;
  readOnly = true;
  /** @type {Map<number, RunState> | null} */ states = null;
  /** @type {Map<number, 'error' | 'warning'>} */ problems = new Map();
  /** @type {Problem[]} */ problemList = [];
  /** @type {Problem[]} */ serverProblems = [];
  /** @type {number | null} */ linkFrom = null;
  moving = false;
  walked = false;
  clip = '';
  /** @type {{x: number, y: number} | null} */ pointer = null;
  /** @type {number[] | null} */ #order = null;
  checkTimer = 0;
  /** @type {AbortController | null} */ #life = null;

  connectedCallback() {
    const block = document.getElementById('dag-data');
    if (!block || this.#life) return;
    this.start(JSON.parse(block.textContent ?? '{}'));
  }
  disconnectedCallback() {
    this.draft?.leave();
    this.#life?.abort();
    this.#life = null;
    this.liveRun?.stop();
    clearTimeout(this.checkTimer);
    this.view?.destroy();
  }

  /** @param {PageData} data */
  start(data) {
    this.data = data;
    data.urls ??= {};
    data.features ??= {};
    this.readOnly = data.mode !== 'edit';
    this.types = new Types(data.schema);
    this.codes = new Codes(data.urls.codes);
    this.lookup = new Lookup(data.urls);
    this.liveRun = new LiveRun(this);
    this.model.follow = inStep;
    if (data.instance) this.states = new Map(Object.entries(data.instance.states ?? {}).map(([c, s]) => [Number(c), s]));
    this.#build();
    this.draft = new Draft(this.readOnly ? undefined : data.urls.draft, data.draft, data.definition.version ?? 0, () => ({ ...this.data.definition, ...this.model.toDefinition() }));
    this.draft.addEventListener('status', () => this.#draftStatus());
    this.model.addEventListener('change', (e) => this.#changed(/** @type {CustomEvent} */ (e).detail));
    this.model.load(data.definition);
    const placed = this.arrange();
    this.#banners();
    this.#listen();
    if (!this.readOnly) this.codes.refill().catch((e) => this.failed(e));
    this.toolbar.update();
    this.toolbar.updateLegend();
    this.check();
    const wanted = new URLSearchParams(location.search).get('task');
    void placed.then(() => {
      if (wanted && this.model.tasks.has(Number(wanted))) this.openTask(Number(wanted));
      else if (data.instance && this.jump('failed') && this.model.tasks.size <= 100) requestAnimationFrame(() => this.view.fit());
    });
  }
  #build() {
    const self = this;
    this.replaceChildren();
    this.overlay = h('div.dag-overlay');
    this.live = h('div.vh', { 'aria-live': 'polite', role: 'status', 'data-test': 'editor.live' });
    this.bannerEl = h('div.dag-banners');
    this.modeEl = h('div.dag-mode', { hidden: true, 'data-test': 'editor.mode' });
    const centre = h('div.dag-centre');
    this.view = new View(centre, {
      model: this.model, types: this.types, readOnly: this.readOnly, states: this.states,
      get problems() {
        return self.problems;
      },
    });
    this.view.stage.setAttribute('aria-label', t('js.editor.graph.label', { name: this.data.definition.name || t('js.editor.newWorkflow') }));
    this.minimap = new Minimap(centre, this.view);
    this.panel = new Panel(this);
    this.toolbar = new Toolbar(this);
    this.list = new List(this);
    this.yaml = new YamlView(this);
    this.problemPanel = new ProblemPanel(this);
    centre.append(this.toolbar.float, this.modeEl, this.list.el, this.yaml.el, this.problemPanel.el);
    const main = h('div.dag-main');
    if (!this.readOnly) {
      this.palette = new Palette(this.types, {
        add: (type) => void this.addTask(type).then((code) => code && this.view.reveal(code)),
        drop: (type, cx, cy) => {
          const r = this.view.stage.getBoundingClientRect();
          if (this.list.open || cx < r.left || cx > r.right || cy < r.top || cy > r.bottom) return false;
          this.view.forgetBox();
          const p = this.view.toGraph(cx, cy);
          void this.addTask(type, { x: p.x - 40, y: p.y - NODE_H / 2 });
          return true;
        },
      });
      main.append(this.palette.el);
    }
    main.append(centre, this.panel.el);
    this.append(this.toolbar.el, this.bannerEl, main, this.overlay, this.live);
    this.pointers = new Pointers(this.view, {
      connect: (a, b) => this.connect(a, b),
      reconnect: (id, a, b) => this.#answer(this.model.reconnect(id, a, b)),
      quickAdd: (x, y, from) => quickAdd(this, x, y, from),
      openMenu: (x, y) => this.openMenu(x, y),
      activate: (c) => this.openTask(c, { focus: true }),
      labelEdge: (id) => void this.labelEdge(id),
    });
    this.view.addEventListener('view', () => this.toolbar.updateView());
    this.view.addEventListener('select', () => this.#selected());
  }
  #listen() {
    this.#life = new AbortController();
    const { signal } = this.#life;
    new Input(this, signal);
    document.addEventListener('signed-in', () => {
      this.banner('signedOut', null);
      if (this.draft.pending) void this.draft.flush();
    }, { signal });
    document.addEventListener('dag-states', (e) => this.setStates(/** @type {CustomEvent} */ (e).detail), { signal });
    addEventListener('pagehide', () => this.draft.leave(), { signal });
    addEventListener('beforeunload', (e) => this.draft.pending && e.preventDefault(), { signal });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#theme(), { signal });
    const theme = new MutationObserver(() => this.#theme());
    theme.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    signal.addEventListener('abort', () => theme.disconnect());
    this.liveRun.start();
  }
  #theme() {
    this.view.themeChanged();
    this.minimap.themeChanged();
  }
  /** Tasks saved without a place are laid out by the server. */
  async arrange() {
    const lost = this.model.unplaced();
    if (lost.length && this.data.urls.layout) {
      try {
        const res = await call('POST', this.data.urls.layout, {
          nodes: [...this.model.tasks.values()].map((x) => ({ id: x.code, w: NODE_W + labelRoom(x), h: NODE_H })), edges: [...this.model.edges.values()].map((e) => [e.preTaskCode, e.postTaskCode]), direction: 'LR',
          pinned: [...this.model.places].map(([id, p]) => ({ id, ...p })),
        });
        const def = this.model.toDefinition();
        const missing = new Set(lost);
        def.locations = [...(def.locations ?? []), ...res.positions.filter((/** @type {any} */ p) => missing.has(p.id)).map((/** @type {any} */ p) => ({ taskCode: p.id, x: p.x, y: p.y }))];
        this.model.load(def);
      } catch (err) {
        this.failed(err);
      }
    }
    if (this.model.unplaced().length) {
      const def = this.model.toDefinition();
      def.locations = [...(def.locations ?? []), ...this.model.unplaced().map((taskCode, i) => ({ taskCode, x: (i % 10) * 264, y: Math.floor(i / 10) * 76 }))];
      this.model.load(def);
    }
    this.view.fit();
  }

  // ---- what changed

  /** @param {{patch: import('./model.js').Patch, reset: boolean}} d */
  #changed({ patch, reset }) {
    this.#order = null;
    if (!reset) this.serverProblems = this.serverProblems.filter((p) => !patch.tasks?.some(([c]) => c === p.taskCode));
    this.view.changed(patch, reset);
    this.minimap.changed();
    this.panel.changed(patch);
    this.list.changed(patch);
    this.toolbar.update();
    if (this.states) this.toolbar.updateLegend();
    if (!reset) {
      this.draft.touch();
      clearTimeout(this.checkTimer);
      this.checkTimer = window.setTimeout(() => this.check(), 250);
    }
    this.dispatchEvent(new CustomEvent('dagchange'));
  }
  #selected() {
    this.minimap.changed();
    const [code] = this.view.selected;
    if (this.view.selected.size === 1) {
      if (this.panel.open || this.data.instance) this.panel.show(code);
      // A card out of sight, or drawn as a spot, has no element to point to.
      if (this.view.cards.has(code)) this.view.stage.setAttribute('aria-activedescendant', `dag-task-${code}`);
      else this.view.stage.removeAttribute('aria-activedescendant');
    } else {
      this.view.stage.removeAttribute('aria-activedescendant');
      if (this.panel.open && (this.view.selected.size === 0 || this.view.selected.size > 1)) this.panel.show(null);
    }
    if (this.list.open && !this.list.el.contains(document.activeElement)) this.list.render();
  }
  check() {
    const found = inspect(this.model, this.types, { workerGroups: this.data.workerGroups, projectParams: this.data.projectParams });
    /** @type {Problem[]} */
    const list = found.map((f) => ({ taskCode: f.taskCode, field: f.field, message: t(f.key, f.args), severity: f.severity }));
    for (const p of this.serverProblems) {
      if (!list.some((q) => q.taskCode === p.taskCode && q.field === p.field && q.severity === p.severity)) list.push(p);
    }
    list.sort((a, b) => Number(b.severity === 'error') - Number(a.severity === 'error'));
    const before = this.problems;
    this.problems = new Map();
    for (const p of list) {
      if (p.taskCode && this.problems.get(p.taskCode) !== 'error') this.problems.set(p.taskCode, p.severity === 'error' ? 'error' : 'warning');
    }
    this.problemList = list;
    this.view.refresh([...new Set([...before.keys(), ...this.problems.keys()])].filter((c) => before.get(c) !== this.problems.get(c)));
    this.problemPanel.render();
    this.panel.problems();
  }
  /** @param {number} code */
  problemsOf(code) {
    return this.problemList.filter((p) => p.taskCode === code);
  }
  /** Ask the server too. */
  async checkNow() {
    if (!this.data.urls.check) return this.check();
    try {
      const res = await call('POST', this.data.urls.check, { definition: { ...this.data.definition, ...this.model.toDefinition() } });
      this.serverProblems = res?.problems ?? [];
      this.check();
      this.say(t('js.editor.problems.count', { count: this.problemList.length }));
    } catch (err) {
      this.failed(err);
    }
  }
  /** @param {Problem} p */
  goToProblem(p) {
    if (p.taskCode && this.model.tasks.has(p.taskCode)) {
      this.selectTask(p.taskCode);
      this.panel.show(p.taskCode, { field: p.field || 'name' });
    } else if (p.field === 'globalParams') void this.run('variables');
  }

  // ---- small services for the parts

  /** @param {string} text */
  say(text) {
    this.live.textContent = '';
    this.live.textContent = text;
  }
  /** Show what the keys do for now; without text they do what they always do. @param {string} text */
  mode(text) {
    this.modeEl.textContent = text;
    this.modeEl.hidden = !text;
    return text;
  }
  /** Tasks in reading order. */
  order() {
    return (this.#order ??= this.model.topological());
  }
  priorities() {
    const label = /** @type {Record<string, string>} */ ({ HIGHEST: 'js.editor.priority.highest', HIGH: 'js.editor.priority.high', MEDIUM: 'js.editor.priority.medium', LOW: 'js.editor.priority.low', LOWEST: 'js.editor.priority.lowest' });
    return PRIORITIES.map((value) => ({ value, label: t(label[value]) }));
  }
  closeUrl() {
    return this.data.urls.close ?? '';
  }
  /** @param {number} code */
  selectTask(code) {
    this.view.select([code]);
    this.view.reveal(code);
  }
  /** Select a task by keyboard and say what it is. @param {number | undefined} code */
  walkTo(code) {
    if (code === undefined) return;
    this.selectTask(code);
    this.say(this.view.describe(code));
  }
  /** @param {number} code @param {{focus?: boolean}} [opt] */
  openTask(code, opt = {}) {
    if (!this.view.selected.has(code) || this.view.selected.size > 1) this.view.select([code]);
    this.panel.show(code, opt);
    this.view.forgetBox();
    requestAnimationFrame(() => this.view.reveal(code));
  }
  closePanel() {
    this.panel.show(null);
    if (this.list.open) return;
    this.view.stage.focus({ preventScroll: true });
  }
  /** @param {number} code */
  flash(code) {
    requestAnimationFrame(() => {
      const el = this.view.cards.get(code);
      el?.setAttribute('data-flash', '');
      setTimeout(() => el?.removeAttribute('data-flash'), 1200);
    });
  }
  stopLinking() {
    this.linkFrom = null;
    this.view.stage.removeAttribute('data-linking');
    this.mode('');
  }
  /** @param {number} pre @param {number} post */
  connect(pre, post) {
    this.#answer(this.model.connect(pre, post));
  }
  /** @param {ReturnType<Model['cannotConnect']>} no */
  #answer(no) {
    if (no) this.refused(no);
    else this.say(t('js.editor.did.connect', { count: 1 }));
  }
  /** @param {NonNullable<ReturnType<Model['cannotConnect']>>} no */
  refusal(no) {
    if (no.why === 'cycle') {
      const names = (no.path ?? []).map((c) => this.model.tasks.get(c)?.name ?? '');
      if (names.length > 8) names.splice(4, names.length - 7, '…');
      return t('js.editor.refused.cycle', { path: names.join(' → ') });
    }
    if (no.why === 'finally') return t('js.editor.refused.finally');
    return t(no.why === 'duplicate' ? 'js.editor.refused.duplicate' : no.why === 'self' ? 'js.editor.refused.self' : 'js.editor.refused.missing');
  }
  /** Say why an edge was not drawn, and light the way that would close. @param {NonNullable<ReturnType<Model['cannotConnect']>>} no */
  refused(no) {
    this.toast(this.refusal(no));
    if (no.path) for (const c of no.path) this.flash(c);
  }
  /** @param {string} text */
  toast(text) {
    this.say(text);
    const el = h('div.dag-toast', { 'data-test': 'editor.toast' }, icon('warn'), h('span', null, text));
    this.overlay.querySelector('.dag-toast')?.remove();
    this.overlay.append(el);
    setTimeout(() => el.remove(), 6000);
  }
  /** @param {number} cx @param {number} cy */
  openMenu(cx, cy) {
    const items = contextMenu(this, cx, cy);
    if (items.length) menu(this.overlay, cx, cy, items, () => this.view.stage.focus({ preventScroll: true }));
  }
  /** @param {string} id */
  async labelEdge(id) {
    const e = this.model.edges.get(id);
    if (!e || this.readOnly) return;
    const name = await prompt(this.overlay, t('js.editor.edge.label'), t('js.editor.edge.text'), e.name ?? '');
    if (name !== null) this.model.labelEdge(id, name.trim());
    this.view.stage.focus({ preventScroll: true });
  }
  /** @param {boolean} list @param {boolean} [yaml] */
  showList(list, yaml = false) {
    void this.yaml.show(yaml);
    this.list.el.hidden = !list;
    this.toggleAttribute('data-list', list);
    const pressed = { graph: !list && !yaml, list, yaml };
    for (const [name, on] of Object.entries(pressed)) this.querySelector(`[data-test="editor.view.${name}"]`)?.setAttribute('aria-pressed', String(on));
    if (list) this.list.render();
    else if (!yaml) {
      this.view.forgetBox();
      this.view.schedule();
    }
  }
  /** @param {number} n @returns {Promise<number[] | null>} */
  async takeCodes(n) {
    try {
      return await this.codes.take(n);
    } catch (err) {
      this.failed(err);
      return null;
    }
  }
  /**
   * @param {string} type @param {Point} [at] default: a free place in the middle of the view
   * @param {number} [from] a task to join it to @returns {Promise<number | null>}
   */
  async addTask(type, at, from) {
    if (this.readOnly) return null;
    const kind = this.types.get(type);
    const codes = await this.takeCodes(1);
    if (!codes) return null;
    const [code] = codes;
    const c = this.view.centre();
    const p = at ?? this.freePlace({ x: c.x - NODE_W / 2, y: c.y - NODE_H / 2 });
    const edges = from === undefined ? [] : [{ preTaskCode: from, postTaskCode: code, name: '' }];
    const task = preferred(newTask(kind, code, this.model.freeName(type.toLowerCase())), kind, this.data.preference);
    if (task.workerGroup === 'default' && this.data.workerGroups?.length && !this.data.workerGroups.includes('default')) task.workerGroup = this.data.workerGroups[0];
    this.model.add([task], [{ x: snap(p.x), y: snap(p.y) }], edges);
    remember(type);
    this.view.select([code]);
    this.say(t('js.editor.said.added', { name: task.name, type: kind.label }));
    return code;
  }
  /** The nearest place below a point, or in the columns beside it, where a card does not cover another. @param {Point} p */
  freePlace(p) {
    for (let i = 0; i < 40; i++) {
      if (!this.view.tasksIn({ x: p.x - 12, y: p.y - 12 }, { x: p.x + NODE_W + 12, y: p.y + NODE_H + 12 }).length) return p;
      p = i % 4 === 3 ? { x: p.x + NODE_W + 64, y: p.y - 3 * (NODE_H + 24) } : { x: p.x, y: p.y + NODE_H + 24 };
    }
    return p;
  }

  // ---- keys

  /** @param {string} name @param {KeyboardEvent} [ev] */
  run(name, ev) {
    if (this.readOnly && EDITS.has(name)) return undefined;
    return COMMANDS[name]?.(this, ev);
  }
  // ---- run states

  /** New states of tasks; nothing moves. @param {Record<string, RunState>} change */
  setStates(change) {
    this.liveRun.take(change);
  }
  /** Go to the next task of a state. @param {string} kind @returns {boolean} */
  jump(kind) {
    return this.liveRun.jump(kind);
  }

  // ---- server

  #draftStatus() {
    const s = this.draft.status;
    this.toolbar.update();
    if (s === 'saved' || s === 'clean') {
      this.banner('signedOut', null);
      this.banner('failed', null);
    } else if (s === 'signedOut') this.#signIn();
    else if (s === 'failed') this.banner('failed', t('js.editor.banner.failed'));
    else if (s === 'conflict') void draftConflict(this);
  }
  #signIn() {
    this.banner('signedOut', t('js.editor.banner.signedOut'), h('a.btn.sm', { href: this.data.urls.login ?? '/login', target: '_blank', rel: 'noopener', 'data-test': 'editor.signIn', onclick: (/** @type {Event} */ e) => {
      e.preventDefault();
      document.dispatchEvent(new CustomEvent('sign-in', { detail: { url: this.data.urls.login, asked: true } }));
    } }, t('js.editor.banner.signIn')));
  }
  /** A line above the canvas; without text it goes away. @param {string} key @param {string | null} text @param {...Node} actions */
  banner(key, text, ...actions) {
    this.bannerEl.querySelector(`[data-key="${key}"]`)?.remove();
    if (text) this.bannerEl.append(h('div.dag-banner', { 'data-key': key, role: 'status', 'data-test': `editor.banner.${key}` }, icon(key === 'readOnly' ? 'lock' : 'warn'), h('span.grow', null, text), ...actions));
    this.view.forgetBox();
  }
  #banners() {
    const { draft, definition, readReason } = this.data;
    if (this.readOnly && !this.data.instance) this.banner('readOnly', readReason || t('js.editor.banner.readOnly'));
    if (!this.readOnly && draft && definition.version && draft.baseVersion < definition.version) this.banner('stale', t('js.editor.banner.stale', { version: definition.version, base: draft.baseVersion }));
  }
  /** @param {unknown} err */
  failed(err) {
    if (err instanceof ApiError && err.status === 401) return this.#signIn();
    this.toast(err instanceof ApiError && err.status ? err.message : t('js.editor.banner.offline'));
  }
  /** @param {string} text */
  toastOk(text) {
    const el = h('div.dag-toast.ok', { 'data-test': 'editor.saved' }, icon('check'), h('span', null, text));
    this.overlay.querySelector('.dag-toast')?.remove();
    this.overlay.append(el);
    setTimeout(() => el.remove(), 4000);
  }
}

customElements.define('dag-editor', DagEditor);
