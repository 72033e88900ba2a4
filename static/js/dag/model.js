// @ts-check
/**
 * The workflow being edited, without any DOM. Every change is a patch of before and after values; undo applies it
 * backwards. Values in the maps are never changed in place, so a patch costs a few references.
 *
 * @typedef {import('./types.js').Task} Task
 * @typedef {import('./types.js').Relation} Relation
 * @typedef {import('./types.js').Point} Point
 * @typedef {import('./types.js').Meta} Meta
 * @typedef {import('./types.js').Definition} Definition
 * @typedef {{what: string, count?: number, merge?: string, origin?: string,
 *   tasks?: [number, Task | null, Task | null][],
 *   edges?: [string, Relation | null, Relation | null][],
 *   places?: [number, Point | null, Point | null][],
 *   meta?: [Meta, Meta]}} Patch  `what` names the deed for the undo button; patches with one `merge` key melt together
 */

/** Card size in canvas pixels; the server's layout uses the same. */
export const NODE_W = 200;
export const NODE_H = 52;

/** @param {number} pre @param {number} post */
export const edgeId = (pre, post) => `${pre}>${post}`;

export class Model extends EventTarget {
  /** @type {Map<number, Task>} */ tasks = new Map();
  /** @type {Map<string, Relation>} */ edges = new Map();
  /** @type {Map<number, Point>} */ places = new Map();
  /** @type {Map<number, Set<number>>} direct successors */ next = new Map();
  /** @type {Map<number, Set<number>>} direct predecessors */ prev = new Map();
  /** @type {Meta} */ meta = { name: '', description: '', timeout: 0, executionType: 'PARALLEL', globalParams: [] };
  /** @type {Patch[]} */ undoStack = [];
  /** @type {Patch[]} */ redoStack = [];
  /** Grows with every change, also undo and redo. */ revision = 0;
  /** @type {Patch[] | null} collects the steps of a batch */ #batch = null;
  /** @type {(model: Model, patch: Patch) => Patch} adds to a patch what must change with it */ follow = (_, patch) => patch;

  /** Replace everything; forgets the history. @param {Partial<Definition>} def */
  load(def) {
    for (const m of [this.tasks, this.edges, this.places, this.next, this.prev]) m.clear();
    this.undoStack = [];
    this.redoStack = [];
    this.meta = metaOf(def);
    for (const task of def.tasks ?? []) this.#putTask(task);
    for (const r of def.relations ?? []) {
      if (r.preTaskCode && this.tasks.has(r.preTaskCode) && this.tasks.has(r.postTaskCode)) this.#putEdge(r);
    }
    for (const l of def.locations ?? []) {
      if (this.tasks.has(l.taskCode)) this.places.set(l.taskCode, { x: l.x, y: l.y });
    }
    this.#emit({ what: 'load' }, true);
  }

  /** Tasks the document has no place for. */
  unplaced() {
    return [...this.tasks.keys()].filter((c) => !this.places.has(c));
  }

  /** The document as the server takes it. @returns {Omit<Definition, 'code' | 'version' | 'releaseState'>} */
  toDefinition() {
    return {
      ...this.meta,
      tasks: [...this.tasks.values()],
      relations: [...this.edges.values()],
      locations: [...this.places].map(([taskCode, p]) => ({ taskCode, x: p.x, y: p.y })),
    };
  }

  /** @param {number} code @returns {Point} */
  place(code) {
    return this.places.get(code) ?? ORIGIN;
  }

  // ---- questions about the graph

  /**
   * The tasks on a way from `from` to `to`, both included, or null.
   * @param {number} from @param {number} to @returns {number[] | null}
   */
  path(from, to) {
    if (from === to) return [from];
    const came = new Map([[from, 0]]);
    const todo = [from];
    for (let i = 0; i < todo.length; i++) {
      for (const n of this.next.get(todo[i]) ?? []) {
        if (came.has(n)) continue;
        came.set(n, todo[i]);
        if (n === to) {
          const way = [to];
          for (let c = to; c !== from; ) way.push((c = /** @type {number} */ (came.get(c))));
          return way.reverse();
        }
        todo.push(n);
      }
    }
    return null;
  }

  /**
   * Why an edge cannot be drawn; for a cycle with the way that would close.
   * @param {number} pre @param {number} post
   * @returns {{why: 'missing' | 'self' | 'duplicate' | 'cycle' | 'finally', path?: number[]} | null}
   */
  cannotConnect(pre, post) {
    if (!this.tasks.has(pre) || !this.tasks.has(post)) return { why: 'missing' };
    if (pre === post) return { why: 'self' };
    if (!this.tasks.get(pre)?.finally !== !this.tasks.get(post)?.finally) return { why: 'finally' };
    if (this.edges.has(edgeId(pre, post))) return { why: 'duplicate' };
    const path = this.path(post, pre);
    return path ? { why: 'cycle', path: [pre, ...path] } : null;
  }

  /** All tasks before the given ones, themselves included. @param {Iterable<number>} codes */
  upstream(codes) {
    return closure(codes, this.prev);
  }

  /** All tasks after the given ones, themselves included. @param {Iterable<number>} codes */
  downstream(codes) {
    return closure(codes, this.next);
  }

  /** Tasks in an order in which all predecessors come first; by place, so that it reads like the picture. */
  topological() {
    const waits = new Map([...this.tasks.keys()].map((c) => [c, this.prev.get(c)?.size ?? 0]));
    const byPlace = (/** @type {number} */ a, /** @type {number} */ b) =>
      this.place(a).x - this.place(b).x || this.place(a).y - this.place(b).y || a - b;
    const out = [...this.tasks.keys()].filter((c) => !waits.get(c)).sort(byPlace);
    for (let i = 0; i < out.length; i++) {
      const free = [];
      for (const n of this.next.get(out[i]) ?? []) {
        const left = (waits.get(n) ?? 0) - 1;
        waits.set(n, left);
        if (!left) free.push(n);
      }
      out.push(...free.sort(byPlace));
    }
    return out;
  }

  /** @param {string} name @param {number} [except] */
  nameTaken(name, except) {
    for (const task of this.tasks.values()) if (task.name === name && task.code !== except) return true;
    return false;
  }

  /** A name nobody has: `shell`, `shell_2`, ... @param {string} wish @param {Set<string>} [also] */
  freeName(wish, also = new Set()) {
    const taken = new Set([...this.tasks.values()].map((x) => x.name));
    if (!taken.has(wish) && !also.has(wish)) return wish;
    const stem = wish.replace(/_\d+$/, '');
    for (let i = 2; ; i++) {
      const name = `${stem}_${i}`;
      if (!taken.has(name) && !also.has(name)) return name;
    }
  }

  // ---- commands

  /**
   * @param {Task[]} tasks @param {Point[]} places @param {Relation[]} [edges] @param {string} [what]
   */
  add(tasks, places, edges = [], what = 'add') {
    this.commit({
      what,
      count: tasks.length,
      tasks: tasks.map((x) => [x.code, null, x]),
      places: tasks.map((x, i) => [x.code, null, places[i]]),
      edges: edges.map((e) => [edgeId(e.preTaskCode, e.postTaskCode), null, e]),
    });
  }

  /** Draw an edge, or answer why not. @param {number} pre @param {number} post */
  connect(pre, post) {
    const no = this.cannotConnect(pre, post);
    if (no) return no;
    this.commit({
      what: 'connect',
      edges: [[edgeId(pre, post), null, { preTaskCode: pre, postTaskCode: post, name: '' }]],
    });
    return null;
  }

  /** Move one end of an edge. @param {string} id @param {number} pre @param {number} post */
  reconnect(id, pre, post) {
    const old = this.edges.get(id);
    if (!old || edgeId(pre, post) === id) return null;
    this.#dropEdge(id); // the old edge must not forbid the new one
    const no = this.cannotConnect(pre, post);
    this.#putEdge(old);
    if (no) return no;
    const moved = { ...old, preTaskCode: pre, postTaskCode: post };
    this.commit({
      what: 'reconnect',
      edges: [
        [id, old, null],
        [edgeId(pre, post), null, moved],
      ],
    });
    return null;
  }

  /**
   * Make exactly these the direct predecessors of a task. Answers the first refusal and changes nothing then.
   * @param {number} code @param {Iterable<number>} wanted
   */
  setUpstream(code, wanted) {
    const want = new Set(wanted);
    const have = this.prev.get(code) ?? new Set();
    /** @type {NonNullable<Patch['edges']>} */
    const edges = [];
    for (const p of have) {
      if (!want.has(p)) edges.push([edgeId(p, code), this.edges.get(edgeId(p, code)) ?? null, null]);
    }
    for (const p of want) {
      if (have.has(p)) continue;
      const no = this.cannotConnect(p, code);
      if (no) return no;
      edges.push([edgeId(p, code), null, { preTaskCode: p, postTaskCode: code, name: '' }]);
    }
    if (edges.length) this.commit({ what: 'connect', edges });
    return null;
  }

  /** @param {string} id @param {string} name */
  labelEdge(id, name) {
    const old = this.edges.get(id);
    if (old && (old.name ?? '') !== name) this.commit({ what: 'label', edges: [[id, old, { ...old, name }]] });
  }

  /** Remove tasks with their edges, and edges. @param {Iterable<number>} codes @param {Iterable<string>} [edgeIds] */
  remove(codes, edgeIds = [], what = 'delete') {
    const gone = new Set(edgeIds);
    /** @type {Required<Pick<Patch, 'tasks' | 'edges' | 'places'>>} */
    const p = { tasks: [], edges: [], places: [] };
    for (const code of new Set(codes)) {
      const task = this.tasks.get(code);
      if (!task) continue;
      p.tasks.push([code, task, null]);
      const at = this.places.get(code);
      if (at) p.places.push([code, at, null]);
      for (const n of this.next.get(code) ?? []) gone.add(edgeId(code, n));
      for (const n of this.prev.get(code) ?? []) gone.add(edgeId(n, code));
    }
    for (const id of gone) {
      const e = this.edges.get(id);
      if (e) p.edges.push([id, e, null]);
    }
    if (p.tasks.length || p.edges.length) this.commit({ what, count: p.tasks.length || p.edges.length, ...p });
  }

  /** @param {Map<number, Point>} to @param {string} [what] @param {string} [merge] */
  move(to, what = 'move', merge) {
    /** @type {NonNullable<Patch['places']>} */
    const places = [];
    for (const [code, p] of to) {
      const old = this.places.get(code) ?? null;
      if (this.tasks.has(code) && (!old || old.x !== p.x || old.y !== p.y)) places.push([code, old, p]);
    }
    if (places.length) this.commit({ what, count: places.length, places, merge });
  }

  /**
   * Change fields of a task.
   * @param {number} code @param {Partial<Task>} change @param {{merge?: string, origin?: string}} [opt]
   */
  setTask(code, change, opt = {}) {
    this.setTasks([[code, change]], opt);
  }

  /** @param {[number, Partial<Task>][]} changes @param {{merge?: string, origin?: string}} [opt] */
  setTasks(changes, opt = {}) {
    /** @type {NonNullable<Patch['tasks']>} */
    const tasks = [];
    for (const [code, change] of changes) {
      const old = this.tasks.get(code);
      if (old && Object.entries(change).some(([k, v]) => !same(/** @type {any} */ (old)[k], v))) {
        tasks.push([code, old, { ...old, ...change }]);
      }
    }
    if (tasks.length) this.commit({ what: 'edit', count: tasks.length, tasks, ...opt });
  }

  /** @param {Partial<Meta>} change @param {{merge?: string, origin?: string}} [opt] */
  setMeta(change, opt = {}) {
    const after = { ...this.meta, ...change };
    if (!same(this.meta, after)) this.commit({ what: 'settings', meta: [this.meta, after], ...opt });
  }

  /** Everything done inside is one undo step. @param {string} what @param {() => void} fn */
  batch(what, fn) {
    if (this.#batch) return fn();
    this.#batch = [];
    try {
      fn();
    } finally {
      const steps = this.#batch;
      this.#batch = null;
      if (steps.length) this.#record({ ...joined(steps), what, count: steps.length });
    }
  }

  // ---- history

  /** Apply a patch and remember it. @param {Patch} p */
  commit(p) {
    p = this.follow(this, p);
    this.#apply(p);
    if (this.#batch) this.#batch.push(p);
    else this.#record(p);
    this.#emit(p);
  }

  /** @param {Patch} p */
  #record(p) {
    const last = this.undoStack.at(-1);
    if (p.merge && last?.merge === p.merge) this.undoStack[this.undoStack.length - 1] = { ...joined([last, p]), what: p.what, merge: p.merge };
    else this.undoStack.push(p);
    this.redoStack = [];
  }

  /** The next change starts an undo step of its own. */
  seal() {
    const last = this.undoStack.at(-1);
    if (last?.merge) this.undoStack[this.undoStack.length - 1] = { ...last, merge: undefined };
  }

  undo() {
    const p = this.undoStack.pop();
    if (!p) return null;
    const back = inverse(p);
    this.#apply(back);
    this.redoStack.push({ ...p, merge: undefined });
    this.#emit(back);
    return p;
  }

  redo() {
    const p = this.redoStack.pop();
    if (!p) return null;
    this.#apply(p);
    this.undoStack.push(p);
    this.#emit(p);
    return p;
  }

  /** @param {Patch} p */
  #apply(p) {
    this.revision++;
    for (const [id, , after] of p.edges ?? []) if (!after) this.#dropEdge(id);
    for (const [code, , after] of p.tasks ?? []) {
      if (after) this.#putTask(after);
      else {
        this.tasks.delete(code);
        this.next.delete(code);
        this.prev.delete(code);
      }
    }
    for (const [code, , after] of p.places ?? []) {
      if (after) this.places.set(code, after);
      else this.places.delete(code);
    }
    for (const [, , after] of p.edges ?? []) if (after) this.#putEdge(after);
    if (p.meta) this.meta = p.meta[1];
  }

  /** @param {Task} task */
  #putTask(task) {
    this.tasks.set(task.code, task);
    if (!this.next.has(task.code)) this.next.set(task.code, new Set());
    if (!this.prev.has(task.code)) this.prev.set(task.code, new Set());
  }

  /** @param {Relation} e */
  #putEdge(e) {
    this.edges.set(edgeId(e.preTaskCode, e.postTaskCode), e);
    this.next.get(e.preTaskCode)?.add(e.postTaskCode);
    this.prev.get(e.postTaskCode)?.add(e.preTaskCode);
  }

  /** @param {string} id */
  #dropEdge(id) {
    const e = this.edges.get(id);
    if (!e) return;
    this.edges.delete(id);
    this.next.get(e.preTaskCode)?.delete(e.postTaskCode);
    this.prev.get(e.postTaskCode)?.delete(e.preTaskCode);
  }

  /** @param {Patch} patch @param {boolean} [reset] */
  #emit(patch, reset = false) {
    this.dispatchEvent(new CustomEvent('change', { detail: { patch, reset } }));
  }
}

const ORIGIN = Object.freeze({ x: 0, y: 0 });

/** @param {Partial<Definition>} def @returns {Meta} */
const metaOf = (def) => ({
  name: def.name ?? '',
  description: def.description ?? '',
  timeout: def.timeout ?? 0,
  executionType: def.executionType || 'PARALLEL',
  globalParams: def.globalParams ?? [],
});

/** @param {Iterable<number>} from @param {Map<number, Set<number>>} by */
function closure(from, by) {
  const seen = new Set(from);
  for (const c of seen) for (const n of by.get(c) ?? []) seen.add(n); // a Set grows while it is walked
  return seen;
}

/** @param {Patch} p @returns {Patch} */
function inverse(p) {
  return {
    what: p.what,
    tasks: p.tasks?.map(([k, b, a]) => [k, a, b]),
    edges: p.edges?.map(([k, b, a]) => [k, a, b]),
    places: p.places?.map(([k, b, a]) => [k, a, b]),
    meta: p.meta && [p.meta[1], p.meta[0]],
  };
}

/** One patch with the effect of several. @param {Patch[]} steps @returns {Patch} */
function joined(steps) {
  const meta = steps.filter((s) => s.meta).map((s) => /** @type {[Meta, Meta]} */ (s.meta));
  return {
    what: steps[0].what,
    count: steps[0].count,
    tasks: fold(steps.map((s) => s.tasks)),
    edges: fold(steps.map((s) => s.edges)),
    places: fold(steps.map((s) => s.places)),
    meta: meta.length ? [meta[0][0], meta[meta.length - 1][1]] : undefined,
  };
}

/**
 * @template K, V
 * @param {([K, V | null, V | null][] | undefined)[]} lists
 * @returns {[K, V | null, V | null][]}
 */
function fold(lists) {
  /** @type {Map<K, [K, V | null, V | null]>} */
  const out = new Map();
  for (const list of lists) {
    for (const [k, before, after] of list ?? []) {
      const first = out.get(k);
      out.set(k, [k, first ? first[1] : before, after]);
    }
  }
  return [...out.values()].filter(([, b, a]) => b !== a);
}

/** Deep equality of JSON values. @param {any} a @param {any} b @returns {boolean} */
export function same(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b || Array.isArray(a) !== Array.isArray(b)) return false;
  const ka = Object.keys(a);
  return ka.length === Object.keys(b).length && ka.every((k) => Object.hasOwn(b, k) && same(a[k], b[k]));
}
