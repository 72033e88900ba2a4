// @ts-check
import { NODE_H, NODE_W } from './model.js';
/** @typedef {import('./types.js').Point} Point */

export const GRID = 8;
const CELL = 512;

/** @param {number} v @param {number} lo @param {number} hi */
export const clamp = (v, lo, hi) => Math.max(lo, Math.min(hi, v));
/** @param {number} v */
export const snap = (v) => Math.round(v / GRID) * GRID;

/** Which cards stand where: cells of 512 pixels. */
export class SpatialIndex {
  /** @type {Map<number, Set<number>>} */ cells = new Map();
  /** @param {number} gx @param {number} gy */
  static key(gx, gy) {
    return gx * 2097152 + gy;
  }
  /** @param {Point} p */
  static of(p) {
    return SpatialIndex.key(Math.floor(p.x / CELL), Math.floor(p.y / CELL));
  }
  clear() {
    this.cells.clear();
  }
  /** @param {number} code @param {Point} p */
  add(code, p) {
    const k = SpatialIndex.of(p);
    const cell = this.cells.get(k);
    if (cell) cell.add(code);
    else this.cells.set(k, new Set([code]));
  }
  /** @param {number} code @param {Point} p */
  delete(code, p) {
    this.cells.get(SpatialIndex.of(p))?.delete(code);
  }
  /** Cards whose cell touches the rectangle; a little more than what is inside.
   * @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 @param {(code: number) => void} fn */
  near(x0, y0, x1, y1, fn) {
    const gx1 = Math.floor(x1 / CELL);
    const gy0 = Math.floor((y0 - NODE_H) / CELL);
    const gy1 = Math.floor(y1 / CELL);
    for (let gx = Math.floor((x0 - NODE_W) / CELL); gx <= gx1; gx++) {
      for (let gy = gy0; gy <= gy1; gy++) {
        const cell = this.cells.get(SpatialIndex.key(gx, gy));
        if (cell) for (const code of cell) fn(code);
      }
    }
  }
}

/**
 * Where a dragged card comes to rest: on a line with a near card, else on the grid.
 * @param {number} x @param {number} y @param {Iterable<Point>} near
 * @returns {{x: number, y: number, lineX: number | null, lineY: number | null}}
 */
export function rest(x, y, near) {
  let nx = snap(x);
  let ny = snap(y);
  let lineX = null;
  let lineY = null;
  let dx = 6;
  let dy = 6;
  for (const o of near) {
    if (Math.abs(o.x - x) < dx) {
      dx = Math.abs(o.x - x);
      nx = o.x;
      lineX = o.x;
    }
    if (Math.abs(o.y - y) < dy) {
      dy = Math.abs(o.y - y);
      ny = o.y;
      lineY = o.y + NODE_H / 2;
    }
  }
  return { x: nx, y: ny, lineX, lineY };
}

/**
 * Whether all of a part of the graph lies within the view.
 * @param {{x: number, y: number, w: number, h: number}} part @param {{k: number, tx: number, ty: number}} camera
 * @param {{width: number, height: number}} view
 */
export function within(part, { k, tx, ty }, { width, height }) {
  const left = part.x * k + tx;
  const top = part.y * k + ty;
  return left >= 0 && top >= 0 && left + part.w * k <= width && top + part.h * k <= height;
}

/** @param {Iterable<Point>} places */
export function boundsOf(places) {
  let x = Infinity;
  let y = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (const p of places) {
    if (p.x < x) x = p.x;
    if (p.y < y) y = p.y;
    if (p.x > right) right = p.x;
    if (p.y > bottom) bottom = p.y;
  }
  if (right < x) return { x: 0, y: 0, w: 400, h: 300 };
  return { x, y, w: right - x + NODE_W, h: bottom - y + NODE_H };
}
