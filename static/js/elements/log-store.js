// @ts-check
/**
 * The lines of a log that the browser holds: one window of the whole log, at most 200,000 lines, in blocks of 1,000 so
 * that growing at either end and forgetting the other is cheap. Line numbers start at 0 and never change.
 */
import { level } from './ansi.js';

const BLOCK = 1000;
export const CAP = 200_000;

/** @typedef {{from: number, lines: string[], counts: Record<string, number>}} Block */

export class LogStore {
  /** @type {Block[]} in order, without gaps between them */ blocks = [];
  /** First line held. */ from = 0;
  /** One past the last line held. */ to = 0;
  /** Lines the whole log has, as far as known. */ total = 0;
  /** @type {Record<string, number>} */ counts = { error: 0, warn: 0, info: 0, debug: 0 };

  clear(from = 0) {
    this.blocks = [];
    this.from = from;
    this.to = from;
    this.counts = { error: 0, warn: 0, info: 0, debug: 0 };
  }
  get size() {
    return this.to - this.from;
  }
  /** @param {number} n @returns {string | undefined} */
  line(n) {
    if (n < this.from || n >= this.to) return undefined;
    let lo = 0;
    let hi = this.blocks.length - 1;
    while (lo < hi) {
      const mid = (lo + hi + 1) >> 1;
      if (this.blocks[mid].from <= n) lo = mid;
      else hi = mid - 1;
    }
    return this.blocks[lo].lines[n - this.blocks[lo].from];
  }
  /**
   * Lines that follow what is held; an overlap is skipped, and a partial last line is replaced by its longer form.
   * A gap empties the store first. Answers the lines forgotten at the top.
   * @param {number} from @param {string[]} lines
   */
  append(from, lines) {
    if (!this.size) this.clear(from);
    if (from > this.to || from + lines.length < this.from) this.clear(from);
    const skip = this.to - from;
    if (skip > 0 && skip <= lines.length) this.#replaceLast(lines[skip - 1]);
    if (skip > 0) lines = lines.slice(skip);
    for (let i = 0; i < lines.length; ) {
      let last = this.blocks.at(-1);
      if (!last || last.lines.length >= BLOCK) {
        last = { from: this.to, lines: [], counts: {} };
        this.blocks.push(last);
      }
      const part = lines.slice(i, i + BLOCK - last.lines.length);
      for (const l of part) {
        last.lines.push(l);
        this.#count(last, l, 1);
      }
      this.to += part.length;
      i += part.length;
    }
    this.total = Math.max(this.total, this.to);
    return this.#trimTop();
  }
  /** Lines that end where what is held begins. @param {number} from @param {string[]} lines */
  prepend(from, lines) {
    if (from + lines.length !== this.from) return;
    for (let end = lines.length; end > 0; end -= BLOCK) {
      const start = Math.max(0, end - BLOCK);
      /** @type {Block} */
      const block = { from: from + start, lines: lines.slice(start, end), counts: {} };
      for (const l of block.lines) this.#count(block, l, 1);
      this.blocks.unshift(block);
    }
    this.from = from;
    while (this.size > CAP) {
      const gone = this.blocks.pop();
      if (!gone) break;
      this.#forget(gone);
      this.to = gone.from;
    }
  }
  /** @param {string} line */
  #replaceLast(line) {
    const last = this.blocks.at(-1);
    if (!last?.lines.length || last.lines[last.lines.length - 1] === line) return;
    this.#count(last, last.lines[last.lines.length - 1], -1);
    last.lines[last.lines.length - 1] = line;
    this.#count(last, line, 1);
  }
  #trimTop() {
    let gone = 0;
    while (this.size > CAP) {
      const block = /** @type {Block} */ (this.blocks.shift());
      this.#forget(block);
      this.from += block.lines.length;
      gone += block.lines.length;
    }
    return gone;
  }
  /** @param {Block} block */
  #forget(block) {
    for (const [k, n] of Object.entries(block.counts)) this.counts[k] -= n;
  }
  /** @param {Block} block @param {string} line @param {1 | -1} by */
  #count(block, line, by) {
    const l = level(line);
    if (!l) return;
    block.counts[l] = (block.counts[l] ?? 0) + by;
    this.counts[l] += by;
  }
  /** Lines held that have a level. @param {Set<string>} levels @returns {number[]} */
  withLevels(levels) {
    /** @type {number[]} */
    const out = [];
    for (const b of this.blocks) {
      if (![...levels].some((l) => b.counts[l])) continue;
      b.lines.forEach((line, i) => levels.has(level(line)) && out.push(b.from + i));
    }
    return out;
  }
  /** First line held after `after` with a level. @param {string} wanted @param {number} after */
  nextLevel(wanted, after) {
    for (const b of this.blocks) {
      if (!b.counts[wanted] || b.from + b.lines.length <= after + 1) continue;
      for (let i = Math.max(0, after + 1 - b.from); i < b.lines.length; i++) if (level(b.lines[i]) === wanted) return b.from + i;
    }
    return -1;
  }
}

/** `#L120-L130` as line numbers from 0. @param {string} hash @returns {[number, number] | null} */
export function parseRange(hash) {
  const m = /^#L(\d+)(?:-L?(\d+))?$/.exec(hash);
  if (!m) return null;
  const a = Number(m[1]) - 1;
  const b = m[2] ? Number(m[2]) - 1 : a;
  return a < 0 || b < 0 ? null : [Math.min(a, b), Math.max(a, b)];
}

/** @param {number} a @param {number} b */
export const rangeHash = (a, b) => (a === b ? `#L${a + 1}` : `#L${a + 1}-L${b + 1}`);
