// @ts-check
/**
 * Where the line of an edge runs. It leaves a card to the right and arrives at another from the left, mostly in one curve. Where
 * that would run behind a card in between, so that it seemed to end there, the line goes straight for most of its way and
 * bends in the gap before the card it leads to, or in the one behind the card it comes from.
 */
import { clamp } from './geometry.js';
import { NODE_H, NODE_W } from './model.js';
/** @typedef {import('./types.js').Point} Point */
/** @typedef {{x1: number, y1: number, x2: number, y2: number, from: number, to: number}} Way straight until x = from, bent until x = to, straight on */

const PORT = 4.5; // radius of a port
const HEAD = 8; // length of an arrowhead
const GAP = 52; // in which a line can bend: what the head leaves of the room between two columns
const CLEAR = 6; // kept between a line and a card
const STEPS = 24;
const MOST = 200; // cards that one line is compared with; among more than that nobody follows it anyway

/** Ends of the edge between two cards. @param {Point} a @param {Point} b @returns {[number, number, number, number]} */
export const ends = (a, b) => [a.x + NODE_W, a.y + NODE_H / 2, b.x, b.y + NODE_H / 2];

/** The way of an edge that nothing stands in front of. @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 @returns {Way} */
export const direct = (x1, y1, x2, y2) => ({ x1, y1, x2, y2, from: x1, to: x2 - PORT - HEAD });

/**
 * The way of an edge from one task to another, around the cards in between; the direct one when there is none around them.
 * @param {number} pre @param {number} post
 * @param {import('./geometry.js').SpatialIndex} index of the cards @param {(code: number) => Point} place of a card
 * @returns {Way}
 */
export function route(pre, post, index, place) {
  const line = direct(...ends(place(pre), place(post)));
  const { x1, y1, x2, y2, to } = line;
  if (to - x1 <= 2 * GAP || y1 === y2) return line;
  const top = Math.min(y1, y2) - CLEAR;
  const bottom = Math.max(y1, y2) + CLEAR;
  /** @type {Point[]} */
  const near = [];
  index.near(x1, top, x2, bottom, (code) => {
    const p = place(code);
    if (code !== pre && code !== post && p.x < x2 && p.x + NODE_W > x1 && p.y < bottom && p.y + NODE_H > top) near.push(p);
  });
  if (!near.length || near.length > MOST) return line;
  const ways = [line, { ...line, from: to - GAP }, { ...line, to: x1 + GAP }];
  return ways.find((w) => !near.some(hiding(w))) ?? line;
}

/** Whether a card would hide part of a line. @param {Way} w @returns {(card: Point) => boolean} */
function hiding(w) {
  const bent = points(w);
  return ({ x, y }) => {
    const beside = (/** @type {number} */ py) => py > y - CLEAR && py < y + NODE_H + CLEAR;
    const over = (/** @type {number} */ from, /** @type {number} */ to) => from < x + NODE_W && to > x;
    if ((over(w.x1, w.from) && beside(w.y1)) || (over(w.to, w.x2) && beside(w.y2))) return true;
    return bent.some((p) => p.x > x && p.x < x + NODE_W && beside(p.y));
  };
}

/** How far the handles of a curve reach. @param {Way} w */
export const bend = (w) => Math.max(32, Math.abs(w.to - w.from) / 2);

/** Points of the bent part. @param {Way} w @returns {Point[]} */
function points(w) {
  const d = bend(w);
  return Array.from({ length: STEPS + 1 }, (_, i) => {
    const s = i / STEPS;
    const r = 1 - s;
    return {
      x: r * r * r * w.from + 3 * r * r * s * (w.from + d) + 3 * r * s * s * (w.to - d) + s * s * s * w.to,
      y: r * r * r * w.y1 + 3 * r * r * s * w.y1 + 3 * r * s * s * w.y2 + s * s * s * w.y2,
    };
  });
}

/** SVG path of a way; it goes straight through the arrowhead. @param {Way} w */
export function path(w) {
  const d = bend(w);
  const begin = w.from > w.x1 ? `H${w.from}` : '';
  return `M${w.x1} ${w.y1}${begin}C${w.from + d} ${w.y1} ${w.to - d} ${w.y2} ${w.to} ${w.y2}H${w.x2}`;
}

/** SVG path of an edge that is being drawn. @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 */
export const curve = (x1, y1, x2, y2) => path(direct(x1, y1, x2, y2));

/** SVG path of an edge's arrowhead, which ends where the round port of the card begins. @param {number} x2 @param {number} y2 */
export const arrowhead = (x2, y2) => `M${x2 - PORT} ${y2}l${-HEAD}-4.5v9z`;

/** Where the words on an edge stand: in the middle of its longest part. @param {Way} w @returns {Point} */
export function middle(w) {
  const lead = w.from - w.x1;
  const tail = w.x2 - w.to;
  if (lead > w.to - w.from) return { x: w.x1 + lead / 2, y: w.y1 };
  if (tail > w.to - w.from) return { x: w.to + tail / 2, y: w.y2 };
  return { x: (w.x1 + w.x2) / 2, y: (w.y1 + w.y2) / 2 };
}

/** Distance of a point from an edge. @param {Point} p @param {Way} w */
export function edgeDistance(p, w) {
  const all = [{ x: w.x1, y: w.y1 }, ...points(w), { x: w.x2, y: w.y2 }];
  let best = Infinity;
  for (let i = 1; i < all.length; i++) best = Math.min(best, segmentDistance(p, all[i - 1], all[i]));
  return best;
}

/** @param {Point} p @param {Point} a @param {Point} b */
function segmentDistance(p, a, b) {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const s = dx || dy ? clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / (dx * dx + dy * dy), 0, 1) : 0;
  return Math.hypot(p.x - a.x - s * dx, p.y - a.y - s * dy);
}
