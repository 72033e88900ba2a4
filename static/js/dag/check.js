// @ts-check
/**
 * The checks that need no server: quick enough to run after each pause in typing, also with 5,000 tasks.
 * @typedef {import('./types.js').Problem} Problem
 * @typedef {import('./model.js').Model} Model
 * @typedef {{taskCode: number, field: string, key: string, args?: Record<string, any>, severity: 'error' | 'warning'}} Finding
 */
import { problem } from './schema.js';

const BUILT_IN = /^(system\.|parameter\.|resources$)/;
const REFERENCE = /\$\{\s*([\w.\-]+)\s*\}/g;

/**
 * @param {Model} model @param {import('./schema.js').Types} types @param {{workerGroups?: string[]}} [known]
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
    if (known.workerGroups?.length && task.workerGroup && !known.workerGroups.includes(task.workerGroup)) {
      add(code, 'workerGroup', 'js.editor.problem.workerGroup', { name: task.workerGroup }, 'warning');
    }
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
  undefinedParams(model, globals, add);
  return out;
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
 * @param {Model} model @param {number} code @returns {{name: string, source: 'local' | 'upstream' | 'global' | 'builtin'}[]} */
export function parameterNames(model, code) {
  /** @type {Map<string, 'local' | 'upstream' | 'global' | 'builtin'>} */
  const out = new Map();
  for (const p of model.tasks.get(code)?.taskParams?.localParams ?? []) if (p.prop) out.set(p.prop, 'local');
  for (const up of model.upstream([code])) {
    if (up === code) continue;
    for (const p of model.tasks.get(up)?.taskParams?.localParams ?? []) {
      if (p.direct === 'OUT' && p.prop && !out.has(p.prop)) out.set(p.prop, 'upstream');
    }
  }
  for (const p of model.meta.globalParams) if (p.prop && !out.has(p.prop)) out.set(p.prop, 'global');
  for (const n of ['system.biz.date', 'system.biz.curdate', 'system.datetime', 'system.workflow.instance.id', 'system.workflow.definition.name', 'system.task.instance.id', 'system.task.definition.name', 'system.task.execute.path', 'system.project.name']) out.set(n, 'builtin');
  return [...out].map(([name, source]) => ({ name, source }));
}
