// @ts-check
/**
 * Mouse, pen and touch on the canvas. Pointer events only, so all three work alike.
 * @typedef {import('./types.js').Point} Point
 * @typedef {{
 *   connect(pre: number, post: number): void,
 *   reconnect(edge: string, pre: number, post: number): void,
 *   quickAdd(cx: number, cy: number, from?: number): void,
 *   openMenu(cx: number, cy: number): void,
 *   activate(code: number): void,
 *   labelEdge(edge: string): void,
 * }} Actions
 * @typedef {{move(e: PointerEvent): void, up(e: PointerEvent): void, cancel?(): void, scrolls?: boolean}} Gesture
 */
import { rest } from './geometry.js';
import { NODE_H, NODE_W } from './model.js';
import { curve, ends } from './route.js';

const SCROLL_ZONE = 40;
const SCROLL_SPEED = 14;
const SLOP = 4;
const HOVER = 180; // ms the pointer rests on a task before the rest is dimmed

export class Pointers {
  space = false;
  /** @type {Gesture | null} */ #gesture = null;
  /** @type {Map<number, PointerEvent>} fingers on the canvas */ #fingers = new Map();
  #pinch = 0;
  /** @type {number | null} */ #hovered = null;
  #hoverTimer = 0;
  #scrolling = 0;
  /** @type {PointerEvent | null} */ #last = null;

  /** @param {import('./view.js').View} view @param {Actions} actions */
  constructor(view, actions) {
    this.view = view;
    this.actions = actions;
    const s = view.stage;
    s.addEventListener('pointerdown', (/** @type {PointerEvent} */ e) => this.#down(e));
    s.addEventListener('pointermove', (/** @type {PointerEvent} */ e) => this.#move(e));
    s.addEventListener('pointerup', (/** @type {PointerEvent} */ e) => this.#up(e));
    s.addEventListener('pointercancel', (/** @type {PointerEvent} */ e) => this.#up(e, true));
    s.addEventListener('pointerleave', () => this.#hover(null));
    s.addEventListener('wheel', (/** @type {WheelEvent} */ e) => this.#wheel(e), { passive: false });
    s.addEventListener('dblclick', (/** @type {MouseEvent} */ e) => this.#double(e));
    s.addEventListener('contextmenu', (/** @type {MouseEvent} */ e) => {
      e.preventDefault();
      this.#pick(e);
      actions.openMenu(e.clientX, e.clientY);
    });
  }
  get busy() {
    return this.#gesture !== null;
  }
  /** Light the ways through a task when the pointer rests on it. @param {number | null} code */
  #hover(code) {
    if (code === this.#hovered) return;
    this.#hovered = code;
    clearTimeout(this.#hoverTimer);
    if (code === null) this.view.light(null);
    else this.#hoverTimer = window.setTimeout(() => this.view.light(code), HOVER);
  }
  /** Give up what is being dragged. */
  cancel() {
    this.#gesture?.cancel?.();
    this.#gesture = null;
    this.#stopScroll();
  }

  /** @param {WheelEvent} e */
  #wheel(e) {
    e.preventDefault();
    const unit = e.deltaMode === 1 ? 24 : 1;
    if (e.ctrlKey || e.metaKey) this.view.zoomTo(this.view.k * Math.exp(-e.deltaY * unit * (Math.abs(e.deltaY) < 30 ? 0.01 : 0.002)), e.clientX, e.clientY);
    else if (e.shiftKey && !e.deltaX) this.view.panBy(-e.deltaY * unit, 0);
    else this.view.panBy(-e.deltaX * unit, -e.deltaY * unit);
  }
  /** @param {MouseEvent} e */
  #double(e) {
    const code = this.view.taskAt(e.clientX, e.clientY);
    if (code !== null) return this.actions.activate(code);
    if (this.view.ctx.readOnly) return;
    const edge = this.#edgeOf(e);
    if (edge) this.actions.labelEdge(edge);
    else this.actions.quickAdd(e.clientX, e.clientY);
  }
  /** @param {MouseEvent} e */
  #edgeOf(e) {
    const g = /** @type {Element} */ (e.target).closest('.dag-edge');
    return /** @type {SVGGElement | null} */ (g)?.dataset.edge ?? (this.view.far ? this.view.edgeAt(e.clientX, e.clientY) : null);
  }
  /** Select what is under the pointer unless it already is. @param {MouseEvent} e */
  #pick(e) {
    const code = this.view.taskAt(e.clientX, e.clientY);
    if (code !== null) {
      if (!this.view.selected.has(code)) this.view.select([code]);
      return;
    }
    const edge = this.#edgeOf(e);
    this.view.select([], edge ? [edge] : []);
  }

  /** @param {PointerEvent} e */
  #down(e) {
    const { view } = this;
    view.forgetBox();
    view.stage.toggleAttribute('data-pointer', true); // no focus ring for a press; the first key brings it back
    view.stage.focus({ preventScroll: true });
    if (e.pointerType === 'touch') {
      this.#fingers.set(e.pointerId, e);
      if (this.#fingers.size === 2) {
        this.cancel();
        this.#pinch = this.#spread();
        return;
      }
    }
    if (this.#gesture || e.button === 2) return;
    const target = /** @type {HTMLElement} */ (e.target);
    const code = view.taskAt(e.clientX, e.clientY);
    const readOnly = view.ctx.readOnly;
    const port = /** @type {HTMLElement | null} */ (target.closest('.port.out'));
    const portOf = port ? Number(/** @type {HTMLElement} */ (port.closest('.dag-node')).dataset.code) : null;
    if (e.button === 1 || this.space) this.#gesture = this.#pan(e);
    else if (target.matches('.dag-handle') && !readOnly) this.#gesture = this.#drawEnd(target);
    else if (portOf !== null && !readOnly) this.#gesture = this.#drawEdge(portOf);
    else if (code !== null) {
      if (e.shiftKey || e.ctrlKey || e.metaKey) {
        const next = new Set(view.selected);
        if (!next.delete(code)) next.add(code);
        view.select(next);
        e.preventDefault();
        return;
      }
      if (!view.selected.has(code)) view.select([code]);
      this.#gesture = readOnly ? null : this.#drag(e, code);
    } else {
      const edge = this.#edgeOf(e);
      if (edge) view.select([], [edge]);
      else this.#gesture = e.pointerType === 'touch' ? this.#pan(e) : this.#box(e);
    }
    e.preventDefault();
    if (this.#gesture) {
      this.#hover(null);
      view.stage.setPointerCapture(e.pointerId);
    }
  }
  /** @param {PointerEvent} e */
  #move(e) {
    if (this.#fingers.has(e.pointerId)) this.#fingers.set(e.pointerId, e);
    if (this.#pinch && this.#fingers.size === 2) {
      const now = this.#spread();
      const [a, b] = [...this.#fingers.values()];
      this.view.zoomTo((this.view.k * now) / this.#pinch, (a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2);
      this.#pinch = now;
      return;
    }
    if (!this.#gesture) {
      const node = /** @type {HTMLElement | null} */ (/** @type {Element} */ (e.target).closest?.('.dag-node'));
      if (e.pointerType === 'mouse' && !this.view.far) this.#hover(node ? Number(node.dataset.code) : null);
      return;
    }
    this.#last = e;
    this.#gesture.move(e);
    if (this.#gesture.scrolls) this.#scrollAtEdge();
  }
  /** @param {PointerEvent} e */
  #up(e, cancelled = false) {
    this.#fingers.delete(e.pointerId);
    if (this.#fingers.size < 2) this.#pinch = 0;
    const g = this.#gesture;
    this.#gesture = null;
    this.#stopScroll();
    if (!g) return;
    if (cancelled) g.cancel?.();
    else g.up(e);
  }
  #spread() {
    const [a, b] = [...this.#fingers.values()];
    return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1;
  }

  // ---- scrolling while something is dragged to the edge of the view

  #scrollAtEdge() {
    if (this.#scrolling) return;
    const step = () => {
      const e = this.#last;
      const g = this.#gesture;
      if (!e || !g) return this.#stopScroll();
      const r = this.view.rect();
      const push = (/** @type {number} */ at, /** @type {number} */ lo, /** @type {number} */ hi) =>
        at < lo + SCROLL_ZONE ? Math.min(1, (lo + SCROLL_ZONE - at) / SCROLL_ZONE) : at > hi - SCROLL_ZONE ? -Math.min(1, (at - hi + SCROLL_ZONE) / SCROLL_ZONE) : 0;
      const dx = push(e.clientX, r.left, r.right) * SCROLL_SPEED;
      const dy = push(e.clientY, r.top, r.bottom) * SCROLL_SPEED;
      if (!dx && !dy) return this.#stopScroll();
      this.view.panBy(dx, dy);
      g.move(e);
      this.#scrolling = requestAnimationFrame(step);
    };
    this.#scrolling = requestAnimationFrame(step);
  }
  #stopScroll() {
    cancelAnimationFrame(this.#scrolling);
    this.#scrolling = 0;
  }

  // ---- gestures

  /** @param {PointerEvent} start @returns {Gesture} */
  #pan(start) {
    let { clientX: x, clientY: y } = start;
    let moved = 0;
    this.view.stage.toggleAttribute('data-pan', true);
    const end = () => this.view.stage.removeAttribute('data-pan');
    return {
      move: (e) => {
        moved += Math.abs(e.clientX - x) + Math.abs(e.clientY - y);
        this.view.panBy(e.clientX - x, e.clientY - y);
        x = e.clientX;
        y = e.clientY;
      },
      up: (e) => {
        end();
        if (moved < SLOP && e.pointerType === 'touch') this.view.select([]);
      },
      cancel: end,
    };
  }

  /** @param {PointerEvent} start @returns {Gesture} */
  #box(start) {
    const { view } = this;
    const from = view.toGraph(start.clientX, start.clientY);
    const kept = start.shiftKey || start.ctrlKey ? [...view.selected] : [];
    let moved = false;
    const area = (/** @type {PointerEvent} */ e) => {
      const to = view.toGraph(e.clientX, e.clientY);
      return [
        { x: Math.min(from.x, to.x), y: Math.min(from.y, to.y) },
        { x: Math.max(from.x, to.x), y: Math.max(from.y, to.y) },
      ];
    };
    return {
      scrolls: true,
      move: (e) => {
        moved ||= Math.hypot(e.clientX - start.clientX, e.clientY - start.clientY) > SLOP;
        if (!moved) return;
        const [a, b] = area(e);
        const s = view.marquee.style;
        s.left = `${a.x * view.k + view.tx}px`;
        s.top = `${a.y * view.k + view.ty}px`;
        s.width = `${(b.x - a.x) * view.k}px`;
        s.height = `${(b.y - a.y) * view.k}px`;
        view.marquee.hidden = false;
      },
      up: (e) => {
        view.marquee.hidden = true;
        const [a, b] = area(e);
        view.select(moved ? [...kept, ...view.tasksIn(a, b)] : kept);
      },
      cancel: () => (view.marquee.hidden = true),
    };
  }

  /** @param {PointerEvent} start @param {number} code @returns {Gesture} */
  #drag(start, code) {
    const { view } = this;
    const from = view.toGraph(start.clientX, start.clientY);
    const old = new Map([...view.selected].map((c) => [c, { ...view.pos(c) }]));
    const anchor = /** @type {Point} */ (old.get(code));
    /** @type {Point[] | null} */
    let near = null;
    let moved = false;
    const end = () => {
      view.live.clear();
      view.snapLines.setAttribute('hidden', '');
      view.stage.removeAttribute('data-drag');
      view.schedule();
    };
    return {
      scrolls: true,
      move: (e) => {
        if (!moved && Math.hypot(e.clientX - start.clientX, e.clientY - start.clientY) < SLOP) return;
        if (!moved) view.stage.toggleAttribute('data-drag', true);
        moved = true;
        near ??= [...view.cards.keys()].filter((c) => !old.has(c)).map((c) => view.pos(c));
        const to = view.toGraph(e.clientX, e.clientY);
        const x = anchor.x + to.x - from.x;
        const y = anchor.y + to.y - from.y;
        const at = e.altKey ? { x: Math.round(x), y: Math.round(y), lineX: null, lineY: null } : rest(x, y, near);
        for (const [c, p] of old) view.live.set(c, { x: p.x + at.x - anchor.x, y: p.y + at.y - anchor.y });
        const r = view.rect();
        const d =
          (at.lineX === null ? '' : `M${at.lineX} ${-view.ty / view.k}V${(r.height - view.ty) / view.k}`) +
          (at.lineY === null ? '' : `M${-view.tx / view.k} ${at.lineY}H${(r.width - view.tx) / view.k}`);
        view.snapLines.setAttribute('d', d);
        view.snapLines.toggleAttribute('hidden', !d);
        view.picture.forget();
        view.schedule();
      },
      up: () => {
        const to = new Map(view.live);
        end();
        if (moved) view.model.move(to);
        else if (view.selected.size > 1) view.select([code]);
      },
      cancel: end,
    };
  }

  /** @param {number} from @returns {Gesture} */
  #drawEdge(from) {
    const { view } = this;
    const start = view.pos(from);
    return this.#aim(
      (p) => curve(start.x + NODE_W, start.y + NODE_H / 2, p.x, p.y),
      (over) => !view.model.cannotConnect(from, over),
      from,
      (over, e) => {
        if (over !== null) this.actions.connect(from, over);
        else this.actions.quickAdd(e.clientX, e.clientY, from);
      },
    );
  }

  /** @param {HTMLElement} handle @returns {Gesture | null} */
  #drawEnd(handle) {
    const { view } = this;
    const id = handle.dataset.edge ?? '';
    const edge = view.model.edges.get(id);
    if (!edge) return null;
    const pre = handle.dataset.end === 'pre';
    const [x1, y1, x2, y2] = ends(view.pos(edge.preTaskCode), view.pos(edge.postTaskCode));
    const want = (/** @type {number} */ over) => /** @type {[number, number]} */ (pre ? [over, edge.postTaskCode] : [edge.preTaskCode, over]);
    return this.#aim(
      (p) => (pre ? curve(p.x, p.y, x2, y2) : curve(x1, y1, p.x, p.y)),
      (over) => !view.model.cannotConnect(...want(over)),
      pre ? edge.postTaskCode : edge.preTaskCode,
      (over) => over !== null && this.actions.reconnect(id, ...want(over)),
    );
  }

  /**
   * A line follows the pointer and the card below says whether it would take it.
   * @param {(p: Point) => string} path @param {(over: number) => boolean} takes @param {number} not
   * @param {(over: number | null, e: PointerEvent) => void} drop @returns {Gesture}
   */
  #aim(path, takes, not, drop) {
    const { view } = this;
    /** @type {number | null} */
    let over = null;
    let moved = false;
    const mark = (/** @type {number | null} */ code) => {
      if (over !== null) view.cards.get(over)?.removeAttribute('data-drop');
      over = code;
      const el = code === null ? null : view.cards.get(code);
      if (el && code !== null) el.dataset.drop = takes(code) ? 'yes' : 'no';
    };
    const end = () => {
      mark(null);
      view.ghost.setAttribute('hidden', '');
    };
    return {
      scrolls: true,
      move: (e) => {
        moved = true;
        const p = view.toGraph(e.clientX, e.clientY);
        view.ghost.setAttribute('d', path(p));
        view.ghost.removeAttribute('hidden');
        const code = view.taskAt(e.clientX, e.clientY);
        if (code !== over) mark(code === not ? null : code);
      },
      up: (e) => {
        const at = over;
        end();
        if (moved && view.taskAt(e.clientX, e.clientY) !== not) drop(at, e);
      },
      cancel: end,
    };
  }
}
