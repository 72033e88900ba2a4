// @ts-check
/**
 * The graph from far away, on one canvas. A picture covers more than the view, so that panning only moves it; it is
 * painted anew when the view leaves it, and after zooming has come to rest.
 */
import { NODE_H, NODE_W } from './model.js';
import { bend, direct, ends } from './route.js';
import { edgeColour, look } from './states.js';

const NAMES = ['success', 'running', 'failed', 'waiting', 'paused', 'stopped', 'retry', 'skipped', 'none', 'edge', 'sel', 'view', 'card', 'line', 'text'];
const EXTRA = 0.3; // of the view, on each side
const STRAIGHT_BELOW = 0.12;
const MOST_ROUTED = 2000; // edges; more would make the picture late
const REST = 90; // ms without zooming before the picture is sharpened

/**
 * Colours for a canvas, which cannot read var() or light-dark(): a probe element resolves them.
 * @param {HTMLElement} near @returns {Record<string, string>}
 */
export function canvasColours(near) {
  const probe = document.createElement('i');
  probe.hidden = true;
  near.append(probe);
  /** @type {Record<string, string>} */
  const out = {};
  for (const n of NAMES) {
    probe.style.color = `var(--dag-${n})`;
    out[n] = getComputedStyle(probe).color;
  }
  probe.remove();
  return out;
}

export class FarPicture {
  /** @type {{k: number, tx: number, ty: number, w: number, h: number} | null} camera of the picture */ #shot = null;
  /** @type {Record<string, string> | null} */ #colours = null;
  #timer = 0;

  /** @param {HTMLCanvasElement} el @param {import('./view.js').View} view */
  constructor(el, view) {
    this.el = el;
    this.view = view;
  }
  /** The picture no longer shows the truth. */
  forget() {
    this.#shot = null;
  }
  themeChanged() {
    this.#colours = null;
    this.#shot = null;
  }
  clear() {
    this.#shot = null;
    this.el.width = 1;
    this.el.height = 1;
  }
  /** @param {DOMRect} r */
  paint(r) {
    const { k, tx, ty, live } = this.view;
    const mx = Math.round(r.width * EXTRA);
    const my = Math.round(r.height * EXTRA);
    const s = this.#shot;
    if (s && !live.size) {
      const f = k / s.k;
      const x = tx - s.tx * f;
      const y = ty - s.ty * f;
      const covers = x <= 0 && y <= 0 && x + s.w * f >= r.width && y + s.h * f >= r.height;
      if (f === 1 ? covers : f > 0.6 && f < 1.7) {
        this.el.style.transform = `translate(${x}px,${y}px) scale(${f})`;
        if (f !== 1) this.#later();
        return;
      }
    }
    this.#shoot(r.width + 2 * mx, r.height + 2 * my, k, tx + mx, ty + my);
    this.el.style.transform = `translate(${-mx}px,${-my}px)`;
  }
  #later() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      this.#shot = null;
      this.view.schedule();
    }, REST);
  }
  /** @param {number} W @param {number} H @param {number} k @param {number} tx @param {number} ty */
  #shoot(W, H, k, tx, ty) {
    W = Math.round(W);
    H = Math.round(H);
    this.#shot = { k, tx, ty, w: W, h: H };
    if (this.el.width !== W || this.el.height !== H) {
      this.el.width = W;
      this.el.height = H;
    }
    const g = /** @type {CanvasRenderingContext2D} */ (this.el.getContext('2d'));
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.clearRect(0, 0, W, H);
    const colour = (this.#colours ??= canvasColours(this.view.stage));
    this.#edges(g, colour, W, H, k, tx, ty);
    this.#tasks(g, colour, W, H, k, tx, ty);
  }
  /** @param {CanvasRenderingContext2D} g @param {Record<string, string>} colour @param {number} W @param {number} H @param {number} k @param {number} tx @param {number} ty */
  #edges(g, colour, W, H, k, tx, ty) {
    const { view } = this;
    /** @type {Map<string, Path2D>} */
    const lines = new Map();
    const straight = k < STRAIGHT_BELOW;
    const routed = !straight && view.model.edges.size <= MOST_ROUTED;
    for (const [id, e] of view.model.edges) {
      const way = routed ? view.way(id, e) : direct(...ends(view.pos(e.preTaskCode), view.pos(e.postTaskCode)));
      const x1 = way.x1 * k + tx;
      const y1 = way.y1 * k + ty;
      const x2 = way.x2 * k + tx;
      const y2 = way.y2 * k + ty;
      if ((x1 < 0 && x2 < 0) || (x1 > W && x2 > W) || (y1 < 0 && y2 < 0) || (y1 > H && y2 > H)) continue;
      const key = edgeColour(view.ctx.states, e);
      let line = lines.get(key);
      if (!line) lines.set(key, (line = new Path2D()));
      line.moveTo(x1, y1);
      if (!straight) {
        const from = way.from * k + tx;
        const to = way.to * k + tx;
        const d = bend(way) * k;
        line.lineTo(from, y1);
        line.bezierCurveTo(from + d, y1, to - d, y2, to, y2);
      }
      line.lineTo(x2, y2);
    }
    g.lineWidth = Math.max(0.6, 1.5 * k);
    g.globalAlpha = k < 0.2 ? 0.4 : 1; // thousands of edges must not hide the tasks
    for (const [key, line] of lines) {
      g.strokeStyle = colour[key];
      g.stroke(line);
    }
    g.globalAlpha = 1;
  }
  /** @param {CanvasRenderingContext2D} g @param {Record<string, string>} colour @param {number} W @param {number} H @param {number} k @param {number} tx @param {number} ty */
  #tasks(g, colour, W, H, k, tx, ty) {
    const { view } = this;
    const { states, problems } = view.ctx;
    const w = Math.max(2, NODE_W * k);
    const h = Math.max(2, NODE_H * k);
    const cards = k > 0.22;
    const r = 8 * k;
    /** @type {Map<string, number[]>} flat x, y by colour */
    const groups = new Map();
    /** @type {[string, number, number][]} */
    const names = [];
    /** @type {[number, number][]} */
    const chosen = [];
    for (const task of view.model.tasks.values()) {
      const p = view.pos(task.code);
      const x = p.x * k + tx;
      const y = p.y * k + ty;
      if (x > W || y > H || x + w < 0 || y + h < 0) continue;
      /** @type {string} */
      let key = states ? look(states.get(task.code)?.state).kind : 'none';
      if (key === 'none' && problems.get(task.code) === 'error') key = 'failed';
      if (view.shown && !view.shown.has(task.code)) key = 'line';
      if (view.selected.has(task.code)) {
        if (cards) chosen.push([x, y]);
        else key = 'sel';
      }
      const list = groups.get(key);
      if (list) list.push(x, y);
      else groups.set(key, [x, y]);
      if (k > 0.3) names.push([task.name, x, y]);
    }
    if (cards) {
      g.beginPath();
      for (const list of groups.values()) for (let i = 0; i < list.length; i += 2) g.roundRect(list[i], list[i + 1], w, h, r);
      g.fillStyle = colour.card;
      g.fill();
      g.strokeStyle = colour.line;
      g.lineWidth = 1;
      g.stroke();
    }
    for (const [key, list] of groups) {
      g.fillStyle = colour[key] ?? colour.none;
      for (let i = 0; i < list.length; i += 2) {
        if (cards) g.fillRect(list[i], list[i + 1] + r, Math.max(2, 5 * k), h - 2 * r);
        else g.fillRect(list[i], list[i + 1], w, h);
      }
    }
    if (chosen.length) {
      g.beginPath();
      for (const [x, y] of chosen) g.roundRect(x, y, w, h, r);
      g.strokeStyle = colour.sel;
      g.lineWidth = 2;
      g.stroke();
    }
    if (!names.length) return;
    g.fillStyle = colour.text;
    g.font = `550 ${13 * k}px Inter, sans-serif`;
    g.textBaseline = 'middle';
    for (const [name, x, y] of names) g.fillText(name, x + 16 * k, y + h / 2, w - 24 * k);
  }
}
