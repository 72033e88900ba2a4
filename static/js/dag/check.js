// @ts-check
/**
 * The checks that need no server: quick enough to run after each pause in typing, also with 5,000 tasks.
 * @typedef {import('./types.js').Problem} Problem
 * @typedef {import('./model.js').Model} Model
 * @typedef {'local' | 'upstream' | 'global' | 'project' | 'builtin'} Source
 * @typedef {{taskCode: number, field: string, key: string, args?: Record<string, any>, severity: 'error' | 'warning'}} Finding
 */
import { branches, branchesOf, branching, codeOf, watched } from './branch.js';
import { problem } from './schema.js';

const BUILT_IN = /^(system\.|parameter\.|resources$)/;
const REFERENCE = /\$\{\s*([\w.\-]+)\s*\}/g;

/**
 * @param {Model} model @param {import('./schema.js').Types} types @param {{workerGroups?: string[], projectParams?: string[]}} [known]
 * @returns {Finding[]}
 */
export function check(model, types, known = {}) {
  /** @type {Finding[]} */
  const out = [];
  const add = (/** @type {number} */ taskCode, /** @type {string} */ field, /** @type {string} */ key, /** @type {any} */ args = {}, /** @type {'error' | 'warning'} */ severity = 'error') =>
    out.push({ taskCode, field, key, args, severity });
  if (!model.tasks.size) add(0, '', 'js.editor.problem.empty');
  /** @type {Map<string, number>} */
  const names = new Map();
  for (const task of model.tasks.values()) names.set(task.name, (names.get(task.name) ?? 0) + 1);
  for (const task of model.tasks.values()) {
    const { code, taskParams: params } = task;
    if (!task.name.trim()) add(code, 'name', 'js.editor.problem.noName');
    else if ((names.get(task.name) ?? 0) > 1) add(code, 'name', 'js.editor.problem.duplicateName', { name: task.name });
    if (task.name.length > 100) add(code, 'name', 'js.editor.problem.longName');
    const type = types.byName.get(task.taskType);
    if (!type) add(code, '', 'js.editor.problem.unknownType', { type: task.taskType }, 'warning');
    for (const f of type?.fields ?? []) {
      const p = problem(f, params ?? {});
      if (p) add(code, f.name, p.key, p.args);
    }
    if (!type?.logic && known.workerGroups?.length && task.workerGroup && !known.workerGroups.includes(task.workerGroup)) {
      add(code, 'workerGroup', 'js.editor.problem.workerGroup', { name: task.workerGroup }, 'warning');
    }
    branchProblems(model, task, add);
    if (task.timeoutFlag === 'OPEN' && !(Number(task.timeout) > 0)) add(code, 'timeout', 'js.editor.problem.timeout');
    const seen = new Set();
    for (const p of params?.localParams ?? []) {
      if (!p.prop) add(code, 'localParams', 'js.editor.problem.paramName');
      else if (seen.has(p.prop)) add(code, 'localParams', 'js.editor.problem.paramTwice', { name: p.prop });
      seen.add(p.prop);
    }
  }
  const globals = new Set();
  for (const p of model.meta.globalParams) {
    if (!p.prop) add(0, 'globalParams', 'js.editor.problem.paramName');
    else if (globals.has(p.prop)) add(0, 'globalParams', 'js.editor.problem.paramTwice', { name: p.prop });
    globals.add(p.prop);
  }
  for (const e of model.edges.values()) {
    const pre = model.tasks.get(e.preTaskCode);
    const post = model.tasks.get(e.postTaskCode);
    if (pre && post && !pre.finally !== !post.finally) add(post.code, 'finally', 'js.editor.problem.finally', { name: pre.name });
    if (pre && post && branching(pre) && !branchesOf(model, e)?.length) {
      add(pre.code, pre.taskType === 'SWITCH' ? 'switchResult' : 'conditionResult', 'js.editor.problem.neverTaken', { name: post.name }, 'warning');
    }
  }
  undefinedParams(model, new Set([...globals, ...(known.projectParams ?? [])]), add);
  return out;
}

/**
 * What is wrong with the branches of a task that chooses among its successors.
 * @param {Model} model @param {import('./types.js').Task} task
 * @param {(code: number, field: string, key: string, args?: any, severity?: 'error' | 'warning') => void} add
 */
function branchProblems(model, task, add) {
  if (!branching(task)) return;
  const all = branches(task);
  const of = (/** @type {string} */ kind) => all.filter((b) => b.kind === kind).map((b) => b.code);
  if (task.taskType === 'CONDITIONS') {
    const success = of('success');
    const failed = of('failed');
    if (!success.length) add(task.code, 'conditionResult', 'js.editor.problem.noSuccess');
    if (!failed.length) add(task.code, 'conditionResult', 'js.editor.problem.noFailed');
    if (success.some((c) => failed.includes(c))) add(task.code, 'conditionResult', 'js.editor.problem.sameBranch');
    for (const c of watched(task)) {
      if (!model.prev.get(task.code)?.has(c)) add(task.code, 'dependence', 'js.editor.problem.notBefore', { name: model.tasks.get(c)?.name ?? String(c) });
    }
  } else {
    const rows = task.taskParams?.switchResult?.dependTaskList ?? [];
    rows.forEach((/** @type {any} */ row, /** @type {number} */ i) => {
      if (!String(row?.condition ?? '').trim()) add(task.code, 'switchResult', 'js.editor.problem.noCondition', { n: i + 1 });
      if (!codeOf(row?.nextNode)) add(task.code, 'switchResult', 'js.editor.problem.noTarget', { n: i + 1 });
    });
    if (!of('default').length) add(task.code, 'switchResult', 'js.editor.problem.noDefault');
  }
  for (const b of all) {
    if (!model.next.get(task.code)?.has(b.code)) {
      add(task.code, task.taskType === 'SWITCH' ? 'switchResult' : 'conditionResult', 'js.editor.problem.notAfter', { name: model.tasks.get(b.code)?.name ?? String(b.code) });
    }
  }
}

/**
 * `${x}` that nobody defines: only a warning, since project parameters, start parameters and shell variables can.
 * SHELL scripts use the same notation for their own variables and are left out.
 * @param {Model} model @param {Set<string>} globals
 * @param {(code: number, field: string, key: string, args: any, severity: 'warning') => void} add
 */
function undefinedParams(model, globals, add) {
  const anyOut = new Set();
  for (const task of model.tasks.values()) {
    for (const p of task.taskParams?.localParams ?? []) if (p.direct === 'OUT') anyOut.add(p.prop);
  }
  for (const task of model.tasks.values()) {
    if (task.taskType === 'SHELL' || task.taskType === 'REMOTESHELL') continue;
    const own = new Set((task.taskParams?.localParams ?? []).map((p) => p.prop));
    for (const [field, v] of Object.entries(task.taskParams ?? {})) {
      if (typeof v !== 'string' || !v.includes('${')) continue;
      for (const m of v.matchAll(REFERENCE)) {
        const name = m[1];
        if (BUILT_IN.test(name) || own.has(name) || globals.has(name) || anyOut.has(name)) continue;
        add(task.code, field, 'js.editor.problem.undefinedParam', { name }, 'warning');
        break;
      }
    }
  }
}

/** Names to offer after `${` in the fields of a task: its own, what comes from before, the workflow's, built-in ones.
 * @param {Model} model @param {number} code @param {string[]} [ofProject] @returns {{name: string, source: Source}[]} */
export function parameterNames(model, code, ofProject = []) {
  /** @type {Map<string, Source>} */
  const out = new Map();
  for (const p of model.tasks.get(code)?.taskParams?.localParams ?? []) if (p.prop) out.set(p.prop, 'local');
  for (const up of model.upstream([code])) {
    if (up === code) continue;
    for (const p of model.tasks.get(up)?.taskParams?.localParams ?? []) {
      if (p.direct === 'OUT' && p.prop && !out.has(p.prop)) out.set(p.prop, 'upstream');
    }
  }
  for (const p of model.meta.globalParams) if (p.prop && !out.has(p.prop)) out.set(p.prop, 'global');
  for (const n of ofProject) if (!out.has(n)) out.set(n, 'project');
  for (const n of ['system.biz.date', 'system.biz.curdate', 'system.datetime', 'system.workflow.instance.id', 'system.workflow.definition.name', 'system.task.instance.id', 'system.task.definition.name', 'system.task.execute.path', 'system.project.name']) out.set(n, 'builtin');
  return [...out].map(([name, source]) => ({ name, source }));
}
