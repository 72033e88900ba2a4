// @ts-check
/**
 * What is seen of the graph: a camera, HTML cards and SVG edges for what is in view, one picture when far away or when
 * more than 500 cards would be in view. It draws and hits; it never changes the document.
 */
import { t } from '../messages.js';
import { branches, branchesOf, branching } from './branch.js';
import { emptyCard, fillCard } from './card.js';
import { h, svg } from './dom.js';
import { FarPicture } from './far.js';
import { SpatialIndex, boundsOf, clamp, within } from './geometry.js';
import { NODE_H, NODE_W, edgeId } from './model.js';
import { arrowhead, edgeDistance, middle, path, route } from './route.js';
import { look } from './states.js';

/** @typedef {import('./types.js').Point} Point */
/** @typedef {import('./types.js').Task} Task */
/** @typedef {{model: import('./model.js').Model, types: import('./schema.js').Types, readOnly: boolean,
 *   states: Map<number, import('./types.js').RunState> | null, problems: Map<number, 'error' | 'warning'>}} Context */

const FAR_BELOW = 0.5;
const MOST_CARDS = 500;
const MARGIN = 240;
const PAD = 56; // round the graph when it is fitted
const LABEL = 28; // characters of an edge's label at most
const LETTER = 6.2; // pixels
export const ZOOM_MIN = 0.05;
export const ZOOM_MAX = 4;

export class View extends EventTarget {
  k = 1;
  tx = 0;
  ty = 0;
  far = false;
  /** @type {Set<number>} */ selected = new Set();
  /** @type {Set<string>} */ selectedEdges = new Set();
  /** @type {Map<number, Point>} places while something is being dragged */ live = new Map();
  /** @type {Set<number> | null} tasks on the way of what is hovered */ lit = null;
  /** @type {Set<number> | null} tasks of the state chosen in the legend */ shown = null;
  index = new SpatialIndex();
  /** @type {Map<number, HTMLElement>} */ cards = new Map();
  /** @type {Map<string, SVGGElement>} */ paths = new Map();
  #frame = 0;
  #stale = true;
  /** @type {Map<string, import('./route.js').Way>} of edges */ #ways = new Map();
  /** camera of the last mounting */ #mounted = { k: 0, tx: 0, ty: 0 };
  /** @type {DOMRect | null} */ #box = null;
  /** @type {ReturnType<typeof boundsOf> | null} */ #bounds = null;

  /** @param {HTMLElement} host @param {Context} ctx */
  constructor(host, ctx) {
    super();
    this.ctx = ctx;
    this.model = ctx.model;
    this.bg = h('div.dag-bg', { 'aria-hidden': 'true' });
    this.edgesEl = svg('g');
    this.ghost = svg('path', { class: 'dag-ghost', hidden: '' });
    this.snapLines = svg('path', { class: 'dag-snap', hidden: '' });
    this.handles = svg('g', { class: 'dag-handles' });
    const edges = svg('svg', { class: 'dag-edges', 'aria-hidden': 'true' });
    edges.append(this.edgesEl, this.ghost, this.snapLines);
    const top = svg('svg', { class: 'dag-edges', 'aria-hidden': 'true' });
    top.append(this.handles);
    this.nodesEl = h('div.dag-nodes');
    this.layer = h('div.dag-layer', null, edges, this.nodesEl, top);
    this.marquee = h('div.dag-marquee', { hidden: true });
    this.farEl = h('canvas.dag-lod', { 'aria-hidden': 'true' });
    this.blank = h('p.dag-blank', { hidden: true, 'data-test': 'editor.blank' }, h('span.dag-blank-wide', null, t('js.editor.blank')), h('span.dag-blank-narrow', null, t('js.editor.blank.narrow')));
    this.stage = h(
      'div.dag-stage',
      { tabindex: '0', role: 'application', 'aria-roledescription': t('js.editor.graph'), 'data-test': 'editor.canvas', id: 'dag-stage' },
      this.bg, this.farEl, this.layer, this.marquee, this.blank,
    );
    host.append(this.stage);
    this.picture = new FarPicture(this.farEl, this);
    this.resize = new ResizeObserver(() => {
      this.#box = null;
      this.picture.forget();
      this.schedule();
    });
    this.resize.observe(this.stage);
  }

  destroy() {
    this.resize.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  // ---- camera

  rect() {
    return (this.#box ??= this.stage.getBoundingClientRect());
  }
  /** The stage may have moved on the page. */
  forgetBox() {
    this.#box = null;
  }
  bounds() {
    return (this.#bounds ??= boundsOf(this.model.places.values()));
  }
  /** @param {number} cx @param {number} cy @returns {Point} graph coordinates of a client point */
  toGraph(cx, cy) {
    const r = this.rect();
    return { x: (cx - r.left - this.tx) / this.k, y: (cy - r.top - this.ty) / this.k };
  }
  /** @returns {Point} graph coordinates of the middle of the view */
  centre() {
    const r = this.rect();
    return this.toGraph(r.left + r.width / 2, r.top + r.height / 2);
  }
  /** @param {number} dx @param {number} dy */
  panBy(dx, dy) {
    this.tx += dx;
    this.ty += dy;
    this.schedule(true);
  }
  /** @param {number} k @param {number} [cx] @param {number} [cy] client point that stays; default the middle */
  zoomTo(k, cx, cy) {
    const r = this.rect();
    const x = cx === undefined ? r.width / 2 : cx - r.left;
    const y = cy === undefined ? r.height / 2 : cy - r.top;
    k = clamp(k, ZOOM_MIN, ZOOM_MAX);
    this.tx = x - ((x - this.tx) * k) / this.k;
    this.ty = y - ((y - this.ty) * k) / this.k;
    this.k = k;
    this.schedule(true);
  }
  fit() {
    this.forgetBox();
    const b = this.bounds();
    const r = this.rect();
    // A small screen has no room for a wide margin, but the tools at the bottom must not cover a card.
    const side = Math.min(PAD, r.width / 16);
    const top = Math.min(PAD, r.height / 16);
    const bottom = Math.min(PAD, r.height / 6);
    this.k = clamp(Math.min((r.width - 2 * side) / b.w, (r.height - top - bottom) / b.h), ZOOM_MIN, 1);
    this.tx = r.width / 2 - (b.x + b.w / 2) * this.k;
    this.ty = (r.height + top - bottom) / 2 - (b.y + b.h / 2) * this.k;
    this.schedule();
  }
  /** Whether nothing of the graph lies outside the view. */
  seesAll() {
    return !this.model.tasks.size || within(this.bounds(), this, this.rect());
  }
  /** Scroll so that a task is in view. @param {number} code @param {{flash?: boolean, near?: boolean}} [opt] */
  reveal(code, opt = {}) {
    if (opt.near && this.k < FAR_BELOW) this.zoomTo(1);
    const p = this.pos(code);
    const r = this.rect();
    const x = p.x * this.k + this.tx;
    const y = p.y * this.k + this.ty;
    if (x < 20 || x + NODE_W * this.k > r.width - 20) this.tx += r.width / 2 - x - (NODE_W * this.k) / 2;
    if (y < 20 || y + NODE_H * this.k > r.height - PAD) this.ty += r.height / 2 - y - (NODE_H * this.k) / 2;
    if (opt.flash) this.flash = code;
    this.schedule();
  }

  // ---- questions

  /** @param {number} code @returns {Point} */
  pos(code) {
    return this.live.get(code) ?? this.model.place(code);
  }
  /** Topmost task under a client point. @param {number} cx @param {number} cy @returns {number | null} */
  taskAt(cx, cy) {
    const q = this.toGraph(cx, cy);
    /** @type {number | null} */
    let found = null;
    this.index.near(q.x, q.y, q.x, q.y, (code) => {
      const n = this.pos(code);
      if (q.x >= n.x && q.x <= n.x + NODE_W && q.y >= n.y && q.y <= n.y + NODE_H) found = code;
    });
    return found;
  }
  /** Edge under a client point, also where edges are only a picture. @param {number} cx @param {number} cy */
  edgeAt(cx, cy) {
    const q = this.toGraph(cx, cy);
    let best = 8 / this.k;
    let found = null;
    for (const [id, e] of this.model.edges) {
      const a = this.pos(e.preTaskCode);
      const b = this.pos(e.postTaskCode);
      const x0 = Math.min(a.x + NODE_W, b.x) - 300;
      const x1 = Math.max(a.x + NODE_W, b.x) + 300;
      if (q.x < x0 || q.x > x1 || q.y < Math.min(a.y, b.y) - 20 || q.y > Math.max(a.y, b.y) + NODE_H + 20) continue;
      const d = edgeDistance(q, this.way(id, e));
      if (d < best) {
        best = d;
        found = id;
      }
    }
    return found;
  }
  /** Where the line of an edge runs. @param {string} id @param {import('./types.js').Relation} e */
  way(id, e) {
    const moving = this.live.has(e.preTaskCode) || this.live.has(e.postTaskCode);
    let way = moving ? undefined : this.#ways.get(id);
    if (way) return way;
    way = route(e.preTaskCode, e.postTaskCode, this.index, (code) => this.pos(code));
    if (!moving) this.#ways.set(id, way);
    return way;
  }
  /** Tasks touching a rectangle in graph coordinates. @param {Point} a @param {Point} b */
  tasksIn(a, b) {
    /** @type {number[]} */
    const out = [];
    this.index.near(a.x, a.y, b.x, b.y, (code) => {
      const n = this.pos(code);
      if (n.x < b.x && n.x + NODE_W > a.x && n.y < b.y && n.y + NODE_H > a.y) out.push(code);
    });
    return out;
  }

  // ---- selection, light

  /** @param {Iterable<number>} codes @param {Iterable<string>} [edges] */
  select(codes, edges = []) {
    const before = this.selected;
    const edgesBefore = this.selectedEdges;
    this.selected = new Set(codes);
    this.selectedEdges = new Set(edges);
    for (const c of new Set([...before, ...this.selected])) this.cards.get(c)?.toggleAttribute('data-sel', this.selected.has(c));
    for (const e of new Set([...edgesBefore, ...this.selectedEdges])) this.paths.get(e)?.toggleAttribute('data-sel', this.selectedEdges.has(e));
    this.#drawHandles();
    this.picture.forget();
    this.schedule();
    this.dispatchEvent(new CustomEvent('select'));
  }
  /** Light the ways through a task, dim the rest. @param {number | null} code */
  light(code) {
    const lit = code === null ? null : new Set([...this.model.upstream([code]), ...this.model.downstream([code])]);
    if (!lit && !this.lit) return;
    this.lit = lit;
    this.stage.toggleAttribute('data-lit', !!lit);
    for (const [c, el] of this.cards) el.toggleAttribute('data-on', !!lit?.has(c));
    for (const [id, g] of this.paths) g.toggleAttribute('data-on', this.#edgeLit(id));
  }
  /** @param {string} id */
  #edgeLit(id) {
    const e = this.model.edges.get(id);
    return !!(this.lit && e && this.lit.has(e.preTaskCode) && this.lit.has(e.postTaskCode));
  }

  // ---- the document changed

  /** @param {import('./model.js').Patch} patch @param {boolean} reset */
  changed(patch, reset) {
    if (reset) {
      this.index.clear();
      for (const [code, p] of this.model.places) this.index.add(code, p);
      this.nodesEl.replaceChildren();
      this.edgesEl.replaceChildren();
      this.cards.clear();
      this.paths.clear();
      this.#ways.clear();
      this.selected.clear();
      this.selectedEdges.clear();
    }
    let lost = false;
    for (const [code, before, after] of patch.places ?? []) {
      if (before) this.index.delete(code, before);
      if (after) this.index.add(code, after);
    }
    if (patch.places?.length) this.#dropPaths(); // a line runs around every card, not only those at its ends
    for (const [code, before, after] of patch.tasks ?? []) {
      this.#dropCard(code);
      if (branching(after) || before?.finally !== after?.finally) this.#dropPathsOf(code); // their edges show what they say
      if (!after) lost = this.selected.delete(code) || lost;
    }
    for (const [id, , after] of patch.edges ?? []) {
      this.#dropPath(id);
      if (!after) lost = this.selectedEdges.delete(id) || lost;
    }
    this.#bounds = null;
    this.picture.forget();
    this.#drawHandles();
    this.schedule();
    if (lost || reset) this.dispatchEvent(new CustomEvent('select'));
  }
  /** Draw these cards anew (state, problem, read-only mode). @param {Iterable<number>} [codes] */
  refresh(codes) {
    for (const c of codes ?? [...this.cards.keys()]) this.#dropCard(c);
    if (!codes) this.#dropPaths();
    this.picture.forget();
    this.schedule();
  }
  /** A run state changed: the card and its edges stay, only what they show changes. @param {number} code */
  refreshState(code) {
    const el = this.cards.get(code);
    const task = this.model.tasks.get(code);
    if (el && task) fillCard(this, el, task);
    for (const n of this.model.next.get(code) ?? []) this.#dropPath(edgeId(code, n));
    for (const n of this.model.prev.get(code) ?? []) this.#dropPath(edgeId(n, code));
    this.picture.forget();
    this.schedule();
  }
  /** @param {number} code */
  #dropCard(code) {
    this.cards.get(code)?.remove();
    this.cards.delete(code);
  }
  /** @param {string} id */
  #dropPath(id) {
    this.paths.get(id)?.remove();
    this.paths.delete(id);
  }
  #dropPaths() {
    for (const g of this.paths.values()) g.remove();
    this.paths.clear();
    this.#ways.clear();
  }
  /** @param {number} code */
  #dropPathsOf(code) {
    for (const n of this.model.next.get(code) ?? []) this.#dropPath(edgeId(code, n));
    for (const n of this.model.prev.get(code) ?? []) this.#dropPath(edgeId(n, code));
  }
  themeChanged() {
    this.picture.themeChanged();
    this.schedule();
  }

  // ---- drawing

  /** Draw with the next frame. @param {boolean} [moved] only the camera changed */
  schedule(moved = false) {
    if (!moved) this.#stale = true;
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }
  #draw() {
    const r = this.rect();
    if (!r.width) return;
    this.layer.style.transform = `translate(${this.tx}px,${this.ty}px) scale(${this.k})`;
    let step = 16 * this.k;
    while (step < 15) step *= 2;
    this.bg.style.backgroundSize = `${step}px ${step}px`;
    this.bg.style.transform = `translate(${this.tx % step}px,${this.ty % step}px)`;
    const m = this.#mounted;
    // Cards reach beyond the view, so a short way of the camera needs no new ones.
    if (!this.#stale && !this.far && m.k === this.k && Math.abs(m.tx - this.tx) < MARGIN / 2 && Math.abs(m.ty - this.ty) < MARGIN / 2) {
      this.dispatchEvent(new CustomEvent('view'));
      return;
    }
    this.#stale = false;
    this.#mounted = { k: this.k, tx: this.tx, ty: this.ty };
    const want = this.k < FAR_BELOW ? null : this.#inView(r);
    const far = !want || want.size > MOST_CARDS;
    if (far !== this.far) {
      this.far = far;
      this.stage.toggleAttribute('data-far', far);
      if (!far) this.picture.clear();
    }
    if (far) {
      if (this.cards.size) {
        this.nodesEl.replaceChildren();
        this.edgesEl.replaceChildren();
        this.cards.clear();
        this.paths.clear();
      }
      this.picture.paint(r);
    } else if (want) {
      this.#drawCards(want);
      this.#drawEdges(want);
    }
    if (this.handles.childElementCount) this.#drawHandles();
    this.blank.hidden = this.ctx.readOnly || this.model.tasks.size > 0;
    this.dispatchEvent(new CustomEvent('view'));
  }
  /** @param {DOMRect} r */
  #inView(r) {
    const x0 = (-this.tx - MARGIN) / this.k;
    const y0 = (-this.ty - MARGIN) / this.k;
    const x1 = (r.width - this.tx + MARGIN) / this.k;
    const y1 = (r.height - this.ty + MARGIN) / this.k;
    const want = new Set(this.live.keys());
    this.index.near(x0, y0, x1, y1, (code) => {
      const p = this.pos(code);
      if (p.x + NODE_W >= x0 && p.x <= x1 && p.y + NODE_H >= y0 && p.y <= y1) want.add(code);
    });
    return want;
  }
  /** @param {Set<number>} want */
  #drawCards(want) {
    for (const [code, el] of this.cards) {
      if (!want.has(code)) {
        el.remove();
        this.cards.delete(code);
      }
    }
    const fresh = document.createDocumentFragment();
    for (const code of want) {
      const task = this.model.tasks.get(code);
      if (!task) continue;
      let el = this.cards.get(code);
      if (!el) {
        el = this.#card(task);
        this.cards.set(code, el);
        fresh.append(el);
      }
      const p = this.pos(code);
      const at = `translate(${p.x}px,${p.y}px)`;
      if (el.style.transform !== at) el.style.transform = at;
    }
    if (fresh.childNodes.length) this.nodesEl.append(fresh);
  }
  /** @param {Set<number>} want */
  #drawEdges(want) {
    /** @type {Set<string>} */
    const ids = new Set();
    for (const code of want) {
      for (const n of this.model.next.get(code) ?? []) ids.add(edgeId(code, n));
      for (const n of this.model.prev.get(code) ?? []) ids.add(edgeId(n, code));
    }
    for (const [id, g] of this.paths) {
      if (!ids.has(id)) {
        g.remove();
        this.paths.delete(id);
      }
    }
    const fresh = document.createDocumentFragment();
    for (const id of ids) {
      const e = this.model.edges.get(id);
      if (!e) continue;
      const old = this.paths.get(id);
      const g = old ?? this.#edge(id, e);
      if (!old) {
        this.paths.set(id, g);
        fresh.append(g);
      } else if (!this.live.has(e.preTaskCode) && !this.live.has(e.postTaskCode)) continue;
      const way = this.way(id, e);
      const d = path(way);
      const words = middle(way);
      for (const child of g.children) {
        if (child.tagName === 'path') child.setAttribute('d', child.classList.contains('head') ? arrowhead(way.x2, way.y2) : d);
        else {
          child.setAttribute('x', String(words.x));
          child.setAttribute('y', String(words.y));
        }
      }
    }
    if (fresh.childNodes.length) this.edgesEl.append(fresh);
  }
  /** Grips at both ends of the one selected edge. */
  #drawHandles() {
    this.handles.replaceChildren();
    if (this.selectedEdges.size !== 1 || this.selected.size || this.ctx.readOnly) return;
    const [id] = this.selectedEdges;
    const e = this.model.edges.get(id);
    if (!e) return;
    const way = this.way(id, e);
    const { x1, y1, x2, y2 } = way;
    const r = String(6 / Math.min(1, this.k));
    if (this.far) this.handles.append(svg('path', { class: 'dag-picked', d: path(way) }));
    this.handles.append(
      svg('circle', { class: 'dag-handle', r, cx: String(x1), cy: String(y1), 'data-end': 'pre', 'data-edge': id }),
      svg('circle', { class: 'dag-handle', r, cx: String(x2), cy: String(y2), 'data-end': 'post', 'data-edge': id }),
    );
  }
  /** @param {Task} task */
  #card(task) {
    const el = emptyCard();
    el.id = `dag-task-${task.code}`;
    el.dataset.code = String(task.code);
    fillCard(this, el, task);
    return el;
  }
  /** What a screen reader says of a task. @param {number} code */
  describe(code) {
    const task = this.model.tasks.get(code);
    if (!task) return '';
    const names = (/** @type {Set<number> | undefined} */ set) => [...(set ?? [])].slice(0, 5).map((c) => this.model.tasks.get(c)?.name).join(', ');
    const parts = [task.name || t('js.editor.unnamed'), this.ctx.types.label(task.taskType)];
    if (this.ctx.states) parts.push(t(look(this.ctx.states.get(code)?.state).label));
    if (task.flag === 'NO') parts.push(t('js.editor.badge.off'));
    if (task.taskExecuteType === 'STREAM') parts.push(t('js.editor.badge.stream'));
    const before = names(this.model.prev.get(code));
    const after = names(this.model.next.get(code));
    if (before) parts.push(t('js.editor.after', { names: before }));
    if (after) parts.push(t('js.editor.before', { names: after }));
    for (const b of branches(task)) parts.push(`${branchText([b])}: ${this.model.tasks.get(b.code)?.name ?? ''}`);
    return parts.join(', ');
  }
  /** @param {string} id @param {import('./types.js').Relation} e @returns {SVGGElement} */
  #edge(id, e) {
    const g = svg('g', { class: 'dag-edge' });
    g.dataset.edge = id;
    if (this.ctx.states) {
      g.dataset.from = look(this.ctx.states.get(e.preTaskCode)?.state).kind;
      g.dataset.to = look(this.ctx.states.get(e.postTaskCode)?.state).kind;
    }
    const ways = branchesOf(this.model, e);
    if (ways) g.dataset.branch = ways[0]?.kind ?? 'none';
    if (this.model.tasks.get(e.postTaskCode)?.finally) g.dataset.finally = '';
    if ([e.preTaskCode, e.postTaskCode].some((c) => this.model.tasks.get(c)?.taskExecuteType === 'STREAM')) g.dataset.stream = '';
    g.append(svg('path', { class: 'hit' }), svg('path', { class: 'ln' }), svg('path', { class: 'head' }));
    const text = e.name || (ways ? branchText(ways) : '');
    if (text) {
      const label = svg('text', { 'text-anchor': 'middle', 'dominant-baseline': 'central' });
      const gap = Math.abs(this.pos(e.postTaskCode).x - this.pos(e.preTaskCode).x - NODE_W) - 16;
      const room = Math.min(LABEL, Math.max(8, Math.floor(gap / LETTER))); // cards lie above
      label.textContent = text.length > room ? `${text.slice(0, room - 1)}…` : text;
      const full = svg('title');
      full.textContent = text;
      label.append(full);
      g.append(label);
    }
    g.toggleAttribute('data-sel', this.selectedEdges.has(id));
    g.toggleAttribute('data-on', this.#edgeLit(id));
    return g;
  }
}

/** What is written on an edge that belongs to branches. @param {import('./branch.js').Branch[]} ways */
export function branchText(ways) {
  if (!ways.length) return t('js.editor.branch.never');
  return ways.map((b) => (b.kind === 'case' ? b.text.trim().replace(/\s+/g, ' ') || t('js.editor.branch.noCondition') : t(BRANCH_TEXT[b.kind]))).join(' | ');
}
const BRANCH_TEXT = { success: 'js.editor.branch.success', failed: 'js.editor.branch.failed', default: 'js.editor.branch.default' };
