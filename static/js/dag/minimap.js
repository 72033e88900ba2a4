// @ts-check
/** The whole graph in a corner, with the part in view; a click or drag goes there. It shows only while something is out of view. */
import { h } from './dom.js';
import { canvasColours } from './far.js';
import { NODE_H, NODE_W } from './model.js';
import { look } from './states.js';

const W = 200;
const H = 132;

export class Minimap {
  on = true;
  #dirty = true;
  /** @type {Record<string, string> | null} */ #colours = null;
  #image = document.createElement('canvas');

  /** @param {HTMLElement} host @param {import('./view.js').View} view */
  constructor(host, view) {
    this.view = view;
    this.el = h('canvas.dag-mini', { width: W, height: H, 'aria-hidden': 'true', 'data-test': 'editor.minimap' });
    this.#image.width = W;
    this.#image.height = H;
    host.append(this.el);
    view.addEventListener('view', () => this.#draw());
    this.el.addEventListener('pointerdown', (/** @type {PointerEvent} */ e) => {
      e.preventDefault();
      this.el.setPointerCapture(e.pointerId);
      this.#go(e);
      this.el.onpointermove = (/** @type {PointerEvent} */ ev) => this.#go(ev);
      this.el.onpointerup = this.el.onpointercancel = () => (this.el.onpointermove = null);
    });
  }
  toggle() {
    this.on = !this.on;
    this.view.schedule();
  }
  changed() {
    this.#dirty = true;
  }
  themeChanged() {
    this.#colours = null;
    this.#dirty = true;
  }
  #scale() {
    const b = this.view.bounds();
    const k = Math.min((W - 16) / b.w, (H - 16) / b.h, 0.2);
    return { b, k, ox: W / 2 - (b.w * k) / 2, oy: H / 2 - (b.h * k) / 2 };
  }
  /** @param {PointerEvent} e */
  #go(e) {
    const r = this.el.getBoundingClientRect();
    const { b, k, ox, oy } = this.#scale();
    const v = this.view.rect();
    this.view.tx = v.width / 2 - ((e.clientX - r.left - ox) / k + b.x) * this.view.k;
    this.view.ty = v.height / 2 - ((e.clientY - r.top - oy) / k + b.y) * this.view.k;
    this.view.schedule(true);
  }
  #draw() {
    this.el.hidden = !this.on || this.view.seesAll();
    if (this.el.hidden) return;
    const { view } = this;
    const { b, k, ox, oy } = this.#scale();
    const colour = (this.#colours ??= canvasColours(view.stage));
    if (this.#dirty) {
      this.#dirty = false;
      const g = /** @type {CanvasRenderingContext2D} */ (this.#image.getContext('2d'));
      g.clearRect(0, 0, W, H);
      for (const code of view.model.tasks.keys()) {
        const p = view.model.place(code);
        const kind = view.ctx.states ? look(view.ctx.states.get(code)?.state).kind : 'none';
        g.fillStyle = view.selected.has(code) ? colour.sel : (colour[kind] ?? colour.none);
        g.fillRect((p.x - b.x) * k + ox, (p.y - b.y) * k + oy, Math.max(1.5, NODE_W * k), Math.max(1.5, NODE_H * k));
      }
    }
    const g = this.el.getContext('2d');
    g.clearRect(0, 0, W, H);
    g.drawImage(this.#image, 0, 0);
    const v = view.rect();
    const x0 = Math.max(1, (-view.tx / view.k - b.x) * k + ox);
    const y0 = Math.max(1, (-view.ty / view.k - b.y) * k + oy);
    const x1 = Math.min(W - 1, ((v.width - view.tx) / view.k - b.x) * k + ox);
    const y1 = Math.min(H - 1, ((v.height - view.ty) / view.k - b.y) * k + oy);
    g.strokeStyle = colour.view;
    g.lineWidth = 1.5;
    g.beginPath();
    g.roundRect(x0, y0, Math.max(2, x1 - x0), Math.max(2, y1 - y0), 5);
    g.stroke();
  }
}
