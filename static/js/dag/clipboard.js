// @ts-check
/**
 * Tasks on the system clipboard are JSON text, so that they travel between workflows, tabs, projects and mails.
 * @typedef {import('./types.js').Task} Task
 * @typedef {import('./types.js').Relation} Relation
 * @typedef {import('./types.js').Point} Point
 * @typedef {import('./model.js').Model} Model
 * @typedef {{kind: string, tasks: Task[], relations: Relation[], locations: {taskCode: number, x: number, y: number}[]}} Clip
 */
import { recoded } from './branch.js';

const KIND = 'dorado/tasks';

/** @param {Model} model @param {Iterable<number>} codes @returns {string} */
export function copyText(model, codes) {
  const set = new Set([...codes].filter((c) => model.tasks.has(c)));
  /** @type {Clip} */
  const clip = {
    kind: KIND,
    tasks: [...set].map((c) => /** @type {Task} */ (model.tasks.get(c))),
    relations: [...model.edges.values()].filter((e) => set.has(e.preTaskCode) && set.has(e.postTaskCode)),
    locations: [...set].map((c) => ({ taskCode: c, ...model.place(c) })),
  };
  return JSON.stringify(clip, null, 1);
}

/** The clip in a text, or null when the text is something else. @param {string} text @returns {Clip | null} */
export function parseClip(text) {
  if (!text.includes(KIND)) return null;
  try {
    const c = JSON.parse(text);
    const good = c?.kind === KIND && Array.isArray(c.tasks) && c.tasks.length > 0;
    if (!good || !c.tasks.every((/** @type {any} */ x) => x && Number.isSafeInteger(x.code) && typeof x.taskType === 'string')) return null;
    return { kind: KIND, tasks: c.tasks, relations: c.relations ?? [], locations: c.locations ?? [] };
  } catch {
    return null;
  }
}

/**
 * What pasting adds: new codes, free names, inner edges, the old arrangement with its top left corner at `at`, or moved
 * by 32 pixels when `at` is null.
 * @param {Model} model @param {Clip} clip @param {number[]} codes one new code per task @param {Point | null} at
 */
export function plan(model, clip, codes, at) {
  const fresh = new Map(clip.tasks.map((x, i) => [x.code, codes[i]]));
  const names = new Set();
  const tasks = clip.tasks.map((x, i) => {
    const name = model.freeName(String(x.name ?? x.taskType.toLowerCase()), names);
    names.add(name);
    const copy = structuredClone(x);
    return { ...copy, taskParams: recoded(copy, fresh), code: codes[i], name, version: 0 };
  });
  const old = new Map(clip.locations.map((l) => [l.taskCode, l]));
  const left = Math.min(...clip.locations.map((l) => l.x));
  const top = Math.min(...clip.locations.map((l) => l.y));
  const dx = at && Number.isFinite(left) ? at.x - left : 32;
  const dy = at && Number.isFinite(top) ? at.y - top : 32;
  const places = clip.tasks.map((x, i) => {
    const l = old.get(x.code) ?? { x: 0, y: i * 76 };
    return { x: l.x + dx, y: l.y + dy };
  });
  const relations = clip.relations
    .filter((e) => fresh.has(e.preTaskCode) && fresh.has(e.postTaskCode))
    .map((e) => ({
      ...e,
      preTaskCode: /** @type {number} */ (fresh.get(e.preTaskCode)),
      postTaskCode: /** @type {number} */ (fresh.get(e.postTaskCode)),
    }));
  return { tasks, places, relations };
}
