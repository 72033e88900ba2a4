// @ts-check
/**
 * Tasks that choose among their successors. Which successor belongs to which branch is in the task's settings, that
 * there is a way at all is an edge; this file keeps the two in step, whichever of them is changed.
 * @typedef {import('./types.js').Task} Task
 * @typedef {import('./types.js').TaskParams} TaskParams
 * @typedef {import('./types.js').Relation} Relation
 * @typedef {import('./model.js').Model} Model
 * @typedef {import('./model.js').Patch} Patch
 * @typedef {'success' | 'failed' | 'case' | 'default'} BranchKind
 * @typedef {{code: number, kind: BranchKind, text: string}} Branch  `text` is the condition of a case
 */
import { edgeId } from './model.js';

/** @param {Task | null | undefined} task */
export const branching = (task) => task?.taskType === 'CONDITIONS' || task?.taskType === 'SWITCH';

/** A code in any form in which it was ever saved; 0 for none. @param {any} v @returns {number} */
export function codeOf(v) {
  if (Array.isArray(v)) return v.length ? codeOf(v[0]) : 0;
  const n = Number(v);
  return Number.isSafeInteger(n) ? n : 0;
}
/** @param {any} list @returns {number[]} */
const codesOf = (list) => (Array.isArray(list) ? list.map(codeOf).filter(Boolean) : []);

/** Where a task may go on, branch by branch. @param {Task | null | undefined} task @returns {Branch[]} */
export function branches(task) {
  const params = task?.taskParams ?? {};
  if (task?.taskType === 'CONDITIONS') {
    const { successNode, failedNode } = params.conditionResult ?? {};
    return [
      ...codesOf(successNode).map((code) => /** @type {Branch} */ ({ code, kind: 'success', text: '' })),
      ...codesOf(failedNode).map((code) => /** @type {Branch} */ ({ code, kind: 'failed', text: '' })),
    ];
  }
  if (task?.taskType !== 'SWITCH') return [];
  const { dependTaskList, nextNode } = params.switchResult ?? {};
  /** @type {Branch[]} */
  const out = (Array.isArray(dependTaskList) ? dependTaskList : []).map((row) => ({ code: codeOf(row?.nextNode), kind: 'case', text: String(row?.condition ?? '') }));
  out.push({ code: codeOf(nextNode), kind: 'default', text: '' });
  return out.filter((b) => b.code);
}

/** @param {Task | null | undefined} task */
const targets = (task) => new Set(branches(task).map((b) => b.code));

/**
 * How an edge is drawn: the branches that take it, null for an edge of a task that does not choose. No branch at all
 * means that the way is never taken.
 * @param {Model} model @param {Relation} e @returns {Branch[] | null}
 */
export function branchesOf(model, e) {
  const task = model.tasks.get(e.preTaskCode);
  return branching(task) ? branches(task).filter((b) => b.code === e.postTaskCode) : null;
}

/** How much wider the layout takes a card, so that what is written on its edges has room. @param {Task} task */
export const labelRoom = (task) => (task.taskType === 'SWITCH' ? 112 : task.taskType === 'CONDITIONS' ? 32 : 0);

/** The tasks whose ends a CONDITIONS task looks at. @param {Task | null | undefined} task @returns {number[]} */
export function watched(task) {
  if (task?.taskType !== 'CONDITIONS') return [];
  return groups(task.taskParams).flatMap((g) => (g.dependItemList ?? []).map((/** @type {any} */ i) => codeOf(i?.depTaskCode))).filter(Boolean);
}
/** @param {TaskParams | undefined} params @returns {any[]} */
const groups = (params) => (Array.isArray(params?.dependence?.dependTaskList) ? params.dependence.dependTaskList : []);

// ---- changes of settings; each returns new settings

/** Every code in the settings becomes what `to` makes of it; 0 takes it out. @param {Task} task @param {(code: number) => number} next @param {(code: number) => number} before @returns {TaskParams} */
function mapped(task, next, before) {
  const p = task.taskParams ?? {};
  const list = (/** @type {any} */ l) => [...new Set(codesOf(l).map(next).filter(Boolean))];
  if (task.taskType === 'SWITCH') {
    const s = p.switchResult ?? {};
    const rows = Array.isArray(s.dependTaskList) ? s.dependTaskList : [];
    return { ...p, switchResult: {
      ...s,
      dependTaskList: rows.map((/** @type {any} */ row) => ({ ...row, nextNode: next(codeOf(row?.nextNode)) || null })),
      nextNode: next(codeOf(s.nextNode)) || null,
    } };
  }
  if (task.taskType !== 'CONDITIONS') return p;
  const r = p.conditionResult ?? {};
  const kept = groups(p)
    .map((g) => ({ ...g, dependItemList: (g.dependItemList ?? []).map((/** @type {any} */ i) => ({ ...i, depTaskCode: before(codeOf(i?.depTaskCode)) })).filter((/** @type {any} */ i) => i.depTaskCode) }))
    .filter((g, k) => g.dependItemList.length || !(groups(p)[k].dependItemList ?? []).length);
  return {
    ...p,
    conditionResult: { ...r, successNode: list(r.successNode), failedNode: list(r.failedNode) },
    dependence: { relation: 'AND', ...p.dependence, dependTaskList: kept },
  };
}

/** For pasted tasks: codes of the old tasks become those of the new ones, what was not copied is left out. @param {Task} task @param {Map<number, number>} fresh @returns {TaskParams} */
export function recoded(task, fresh) {
  const to = (/** @type {number} */ c) => fresh.get(c) ?? 0;
  return branching(task) ? mapped(task, to, to) : task.taskParams;
}

/** @param {Task} task @param {number} gone @returns {TaskParams} */
const withoutTarget = (task, gone) => mapped(task, (c) => (c === gone ? 0 : c), (c) => c);
/** @param {Task} task @param {number} gone @returns {TaskParams} */
const withoutWatched = (task, gone) => mapped(task, (c) => c, (c) => (c === gone ? 0 : c));

/** A successor gets the first branch that has none; a further one of SWITCH begins a case. @param {Task} task @param {number} code @returns {TaskParams} */
function withTarget(task, code) {
  const p = task.taskParams ?? {};
  if (task.taskType === 'CONDITIONS') {
    const r = p.conditionResult ?? {};
    const empty = !codesOf(r.successNode).length ? 'successNode' : !codesOf(r.failedNode).length ? 'failedNode' : null;
    return empty ? { ...p, conditionResult: { successNode: [], failedNode: [], ...r, [empty]: [code] } } : p;
  }
  const s = p.switchResult ?? {};
  const rows = Array.isArray(s.dependTaskList) ? s.dependTaskList : [];
  const open = rows.findIndex((/** @type {any} */ row) => !codeOf(row?.nextNode));
  if (open >= 0) {
    return { ...p, switchResult: { ...s, dependTaskList: rows.map((/** @type {any} */ row, /** @type {number} */ i) => (i === open ? { ...row, nextNode: code } : row)) } };
  }
  if (!codeOf(s.nextNode)) return { ...p, switchResult: { ...s, dependTaskList: rows, nextNode: code } };
  return { ...p, switchResult: { ...s, dependTaskList: [...rows, { condition: '', nextNode: code }] } };
}

/** A new task before a CONDITIONS task is looked at, as a success. @param {Task} task @param {number} code @returns {TaskParams} */
function withWatched(task, code) {
  const p = task.taskParams ?? {};
  const item = { depTaskCode: code, status: 'SUCCESS' };
  const list = groups(p);
  const [first, ...rest] = list.length ? list : [{ relation: 'AND', dependItemList: [] }];
  return { ...p, dependence: { relation: 'AND', ...p.dependence, dependTaskList: [{ ...first, dependItemList: [...(first.dependItemList ?? []), item] }, ...rest] } };
}

/**
 * The patch together with what must change because of it. It is given before it is applied.
 * @param {Model} model @param {Patch} patch @returns {Patch}
 */
export function inStep(model, patch) {
  if (!patch.edges?.length && !patch.tasks?.some(([, , after]) => branching(after))) return patch;
  /** @type {Map<number, [Task | null, Task | null]>} */
  const tasks = new Map((patch.tasks ?? []).map(([c, b, a]) => [c, [b, a]]));
  /** @type {Map<string, [Relation | null, Relation | null]>} */
  const edges = new Map((patch.edges ?? []).map(([id, b, a]) => [id, [b, a]]));
  const now = (/** @type {number} */ code) => (tasks.has(code) ? tasks.get(code)?.[1] : model.tasks.get(code)) ?? null;
  const put = (/** @type {Task} */ task, /** @type {TaskParams} */ taskParams) => {
    if (taskParams === task.taskParams) return;
    const known = tasks.get(task.code);
    tasks.set(task.code, [known ? known[0] : task, { ...task, taskParams }]);
  };

  // The form chose other targets: edges follow.
  for (const [code, before, after] of patch.tasks ?? []) {
    if (!before || !branching(after)) continue;
    const was = targets(before);
    const is = targets(after);
    for (const c of was) {
      const old = is.has(c) ? undefined : model.edges.get(edgeId(code, c));
      if (old && !edges.has(edgeId(code, c))) edges.set(edgeId(code, c), [old, null]);
    }
    for (const c of is) {
      if (was.has(c) || edges.has(edgeId(code, c)) || model.cannotConnect(code, c)) continue;
      edges.set(edgeId(code, c), [null, { preTaskCode: code, postTaskCode: c, name: '' }]);
    }
  }
  // Edges came or went: settings follow.
  const gone = [...edges.values()].filter(([b, a]) => b && !a).map(([b]) => /** @type {Relation} */ (b));
  const come = [...edges.values()].filter(([b, a]) => a && !b).map(([, a]) => /** @type {Relation} */ (a));
  if (patch.what === 'reconnect' && gone.length === 1 && come.length === 1 && gone[0].preTaskCode === come[0].preTaskCode) {
    const task = now(gone[0].preTaskCode); // the branch goes where the edge goes
    if (task && branching(task)) put(task, mapped(task, (c) => (c === gone[0].postTaskCode ? come[0].postTaskCode : c), (c) => c));
  }
  for (const e of gone) {
    const pre = now(e.preTaskCode);
    if (pre && targets(pre).has(e.postTaskCode)) put(pre, withoutTarget(pre, e.postTaskCode));
    const post = now(e.postTaskCode);
    if (post && watched(post).includes(e.preTaskCode)) put(post, withoutWatched(post, e.preTaskCode));
  }
  for (const e of come) {
    const pre = now(e.preTaskCode);
    if (pre && branching(pre) && !targets(pre).has(e.postTaskCode)) put(pre, withTarget(pre, e.postTaskCode));
    const post = now(e.postTaskCode);
    if (post?.taskType === 'CONDITIONS' && !watched(post).includes(e.preTaskCode)) put(post, withWatched(post, e.preTaskCode));
  }
  return { ...patch, tasks: [...tasks].map(([c, [b, a]]) => [c, b, a]), edges: [...edges].map(([id, [b, a]]) => [id, b, a]) };
}
