// @ts-check
/**
 * @typedef {import('./types.js').Task} Task
 * @typedef {import('./types.js').TaskType} TaskType
 */

/** @param {string} s */
const fold = (s) => s.normalize('NFKC').toLowerCase();

/**
 * Task types that match what was typed, best first: start of a name, then inside a name, then an alias. Labels in the
 * viewer's language, the type's own name and its aliases (in both languages) all count.
 * @param {TaskType[]} types @param {string} query @returns {TaskType[]}
 */
export function findTypes(types, query) {
  const q = fold(query.trim());
  if (!q) return types;
  const rank = (/** @type {TaskType} */ x) => {
    const names = [fold(x.label), fold(x.type)];
    if (names.some((n) => n.startsWith(q))) return 0;
    if (names.some((n) => n.includes(q))) return 1;
    return (x.aliases ?? []).some((a) => fold(a).includes(q)) ? 2 : 9;
  };
  return types
    .map((x, i) => ({ x, i, r: rank(x) }))
    .filter((e) => e.r < 9)
    .sort((a, b) => a.r - b.r || a.i - b.i)
    .map((e) => e.x);
}

/**
 * Tasks whose name, type or any text parameter contains the query.
 * @param {Iterable<Task>} tasks @param {string} query @param {(type: string) => string} labelOf @param {number} [limit]
 * @returns {{task: Task, where: 'name' | 'type' | 'script', text: string}[]}
 */
export function findTasks(tasks, query, labelOf, limit = 200) {
  const q = fold(query.trim());
  if (!q) return [];
  /** @type {{task: Task, where: 'name' | 'type' | 'script', text: string, r: number}[]} */
  const out = [];
  for (const task of tasks) {
    const name = fold(task.name);
    if (name.includes(q)) out.push({ task, where: 'name', text: task.name, r: name.startsWith(q) ? 0 : 1 });
    else if (fold(task.taskType).includes(q) || fold(labelOf(task.taskType)).includes(q)) {
      out.push({ task, where: 'type', text: labelOf(task.taskType), r: 2 });
    } else {
      const line = lineWith(task.taskParams, q);
      if (line) out.push({ task, where: 'script', text: line, r: 3 });
    }
  }
  return out.sort((a, b) => a.r - b.r).slice(0, limit);
}

/** The first line of any text inside a JSON value that contains q. @param {any} value @param {string} q @returns {string} */
function lineWith(value, q) {
  if (typeof value === 'string') {
    if (!fold(value).includes(q)) return '';
    const line = value.split('\n').find((l) => fold(l).includes(q)) ?? '';
    return line.trim().slice(0, 120);
  }
  if (value && typeof value === 'object') {
    for (const v of Object.values(value)) {
      const line = lineWith(v, q);
      if (line) return line;
    }
  }
  return '';
}
