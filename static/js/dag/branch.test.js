// @ts-check
import test from 'node:test';
import assert from 'node:assert/strict';
import { branches, branchesOf, inStep, watched } from './branch.js';
import { check } from './check.js';
import { copyText, parseClip, plan } from './clipboard.js';
import { Lookup } from './lookup.js';
import { Model, edgeId } from './model.js';
import { drawing } from './picture.js';
import { excerpt } from './preview.js';
import { Types, newTask, preferred, problem } from './schema.js';

/** @type {import('./types.js').TaskType} */
const SHELL = { type: 'SHELL', category: 'universal', label: 'Shell', icon: 'shell', retryable: true, fields: [{ name: 'rawScript', type: 'code', label: 'Script' }] };
/** @type {import('./types.js').TaskType} */
const CONDITIONS = {
  type: 'CONDITIONS', category: 'logic', label: 'Conditions', icon: 'branch', logic: true, retryable: false,
  fields: [{ name: 'dependence', type: 'conditions', label: 'When', required: true }, { name: 'conditionResult', type: 'outcomes', label: 'Then', required: true }],
};
/** @type {import('./types.js').TaskType} */
const SWITCH = { type: 'SWITCH', category: 'logic', label: 'Switch', icon: 'route', logic: true, retryable: false, fields: [{ name: 'switchResult', type: 'cases', label: 'Branches', required: true }] };
/** @type {import('./types.js').TaskType} */
const SUB = {
  type: 'SUB_WORKFLOW', also: ['SUB_PROCESS'], category: 'logic', label: 'Sub', icon: 'sub', logic: true,
  fields: [{ name: 'workflowDefinitionCode', alias: 'processDefinitionCode', type: 'workflow', label: 'Child', required: true }],
};
const types = new Types({ types: [SHELL, CONDITIONS, SWITCH, SUB] });

/** @param {[number, import('./types.js').TaskType, string][]} tasks @param {[number, number][]} [edges] */
function draw(tasks, edges = []) {
  const m = new Model();
  m.follow = inStep;
  m.load({ tasks: tasks.map(([code, type, name]) => newTask(type, code, name)), relations: [], locations: tasks.map(([c], i) => ({ taskCode: c, x: i * 264, y: 0 })) });
  for (const [a, b] of edges) assert.equal(m.connect(a, b), null);
  return m;
}
/** @param {Model} m @param {number} code */
const shown = (m, code) => branches(m.tasks.get(code)).map((b) => `${b.kind}:${b.code}`);

test('edges drawn from CONDITIONS fill its branches, edges into it what it looks at', () => {
  const m = draw([[1, SHELL, 'a'], [2, CONDITIONS, 'c'], [3, SHELL, 'good'], [4, SHELL, 'bad'], [5, SHELL, 'more']], [[1, 2], [2, 3], [2, 4], [2, 5]]);
  assert.deepEqual(watched(m.tasks.get(2)), [1]);
  assert.deepEqual(shown(m, 2), ['success:3', 'failed:4'], 'a third one is for its author to place');
  assert.deepEqual(branchesOf(m, /** @type {any} */ (m.edges.get(edgeId(2, 5)))), [], 'and is marked as never taken');
  assert.equal(branchesOf(m, /** @type {any} */ (m.edges.get(edgeId(1, 2)))), null, 'an ordinary edge has no branch');
});

test('deleting an edge takes its target out of the branches, and undo brings both back', () => {
  const m = draw([[1, SHELL, 'a'], [2, SWITCH, 's'], [3, SHELL, 'x'], [4, SHELL, 'y']], [[1, 2], [2, 3], [2, 4]]);
  assert.deepEqual(shown(m, 2), ['case:4', 'default:3']);
  m.setTask(2, { taskParams: { ...m.tasks.get(2)?.taskParams, switchResult: { dependTaskList: [{ condition: '1 > 0', nextNode: 4 }], nextNode: 3 } } });
  m.remove([], [edgeId(2, 4)]);
  assert.deepEqual(m.tasks.get(2)?.taskParams.switchResult, { dependTaskList: [{ condition: '1 > 0', nextNode: null }], nextNode: 3 }, 'the expression is kept');
  m.undo();
  assert.deepEqual(shown(m, 2), ['case:4', 'default:3']);
  assert.ok(m.edges.has(edgeId(2, 4)));
  m.redo();
  assert.deepEqual(shown(m, 2), ['default:3']);
});

test('deleting a task takes it out of branches and conditions', () => {
  const m = draw([[1, SHELL, 'a'], [6, SHELL, 'b'], [2, CONDITIONS, 'c'], [3, SHELL, 'good'], [4, SHELL, 'bad']], [[1, 2], [6, 2], [2, 3], [2, 4]]);
  m.remove([1, 4]);
  assert.deepEqual(watched(m.tasks.get(2)), [6]);
  assert.deepEqual(shown(m, 2), ['success:3']);
  m.undo();
  assert.deepEqual(watched(m.tasks.get(2)), [1, 6]);
  assert.deepEqual(shown(m, 2), ['success:3', 'failed:4']);
});

test('a target chosen in the form draws its edge, one given up takes it away', () => {
  const m = draw([[2, CONDITIONS, 'c'], [3, SHELL, 'good'], [4, SHELL, 'bad']], [[2, 3]]);
  m.setTask(2, { taskParams: { ...m.tasks.get(2)?.taskParams, conditionResult: { successNode: [], failedNode: [4] } } }, { origin: 'panel' });
  assert.deepEqual([...m.edges.keys()], [edgeId(2, 4)]);
  assert.deepEqual(shown(m, 2), ['failed:4']);
  m.undo();
  assert.deepEqual([...m.edges.keys()], [edgeId(2, 3)], 'form and edges are one step');
});

test('a target that another branch still names keeps its edge; one that would close a cycle gets none', () => {
  const m = draw([[1, SHELL, 'a'], [2, SWITCH, 's'], [3, SHELL, 'x']], [[1, 2], [2, 3]]);
  const set = (/** @type {any} */ switchResult) => m.setTask(2, { taskParams: { ...m.tasks.get(2)?.taskParams, switchResult } });
  set({ dependTaskList: [{ condition: 'true', nextNode: 3 }], nextNode: 3 });
  set({ dependTaskList: [], nextNode: 3 });
  assert.ok(m.edges.has(edgeId(2, 3)));
  set({ dependTaskList: [{ condition: 'true', nextNode: 1 }], nextNode: 3 });
  assert.equal(m.edges.has(edgeId(2, 1)), false);
});

test('an edge moved to another task takes its branch along', () => {
  const m = draw([[2, CONDITIONS, 'c'], [3, SHELL, 'good'], [4, SHELL, 'bad'], [5, SHELL, 'other']], [[2, 3], [2, 4]]);
  assert.equal(m.reconnect(edgeId(2, 4), 2, 5), null);
  assert.deepEqual(shown(m, 2), ['success:3', 'failed:5']);
});

test('codes are read as older clients wrote them', () => {
  const task = { ...newTask(SWITCH, 1, 's'), taskParams: { switchResult: { dependTaskList: [{ condition: 'a', nextNode: ['7'] }, { condition: 'b', nextNode: '' }], nextNode: '8' } } };
  assert.deepEqual(branches(task).map((b) => b.code), [7, 8]);
});

test('pasted branches lead to the pasted tasks', () => {
  const m = draw([[1, SHELL, 'a'], [2, CONDITIONS, 'c'], [3, SHELL, 'good'], [4, SHELL, 'bad']], [[1, 2], [2, 3], [2, 4]]);
  const clip = parseClip(copyText(m, [1, 2, 3]));
  assert.ok(clip);
  const p = plan(m, clip, [11, 12, 13], null);
  m.add(p.tasks, p.places, p.relations, 'paste');
  assert.deepEqual(shown(m, 12), ['success:13'], 'what was not copied is left out');
  assert.deepEqual(watched(m.tasks.get(12)), [11]);
  assert.deepEqual(shown(m, 2), ['success:3', 'failed:4'], 'the original stays');
});

test('the check finds branches without target, ways never taken and foreign predecessors', () => {
  const m = draw([[1, SHELL, 'a'], [2, CONDITIONS, 'c'], [3, SHELL, 'x'], [4, SHELL, 'y'], [5, SHELL, 'z'], [6, SWITCH, 's']], [[1, 2], [2, 3], [2, 4], [2, 5]]);
  m.setTask(2, { taskParams: { ...m.tasks.get(2)?.taskParams, dependence: { relation: 'AND', dependTaskList: [{ relation: 'AND', dependItemList: [{ depTaskCode: 4, status: 'SUCCESS' }] }] } } });
  m.setTask(6, { taskParams: { switchResult: { dependTaskList: [{ condition: ' ', nextNode: null }], nextNode: null } } });
  const found = check(m, types).map((f) => `${f.taskCode} ${f.field} ${f.key.split('.').at(-1)} ${f.severity}`);
  assert.deepEqual(found.sort(), [
    '2 conditionResult neverTaken warning', '2 dependence notBefore error', '6 switchResult noCondition error', '6 switchResult noDefault error', '6 switchResult noTarget error',
  ]);
});

test('finally tasks are joined to finally tasks only', () => {
  const m = draw([[1, SHELL, 'a'], [2, SHELL, 'b'], [3, SHELL, 'c']], [[1, 2]]);
  m.setTask(3, { finally: true });
  assert.equal(m.connect(1, 3)?.why, 'finally');
  m.setTask(2, { finally: true });
  assert.deepEqual(check(m, types).filter((f) => f.field === 'finally').map((f) => [f.taskCode, f.args?.name]), [[2, 'a']]);
  assert.equal(m.connect(2, 3), null);
});

test('a type is found under its older name, a field under its older member', () => {
  assert.equal(types.get('SUB_PROCESS').type, 'SUB_WORKFLOW');
  assert.equal(problem(SUB.fields[0], { processDefinitionCode: 7 }), null);
  assert.equal(problem(SUB.fields[0], {})?.key, 'js.editor.problem.required');
  assert.equal(problem(CONDITIONS.fields[0], { dependence: { relation: 'AND', dependTaskList: [] } })?.key, 'js.editor.problem.required');
  assert.equal(problem(CONDITIONS.fields[0], { dependence: {} })?.key, 'js.editor.problem.required');
});

test('a new task takes what the project suggests, a logic task only what it has', () => {
  const wishes = { taskPriority: 'HIGH', workerGroup: 'gpu', environmentCode: 5, failRetryTimes: 3, failRetryInterval: 2 };
  const shell = preferred(newTask(SHELL, 1, 'a'), SHELL, wishes);
  assert.deepEqual([shell.taskPriority, shell.workerGroup, shell.environmentCode, shell.failRetryTimes], ['HIGH', 'gpu', 5, 3]);
  const conditions = preferred(newTask(CONDITIONS, 2, 'c'), CONDITIONS, wishes);
  assert.deepEqual([conditions.taskPriority, conditions.workerGroup, conditions.environmentCode, conditions.failRetryTimes], ['HIGH', 'default', -1, 0]);
  assert.deepEqual(preferred(newTask(SHELL, 1, 'a'), SHELL), newTask(SHELL, 1, 'a'));
});

test('a preview sends the task and what comes before it, no scripts of others', () => {
  const m = draw([[1, SHELL, 'a'], [2, SHELL, 'b'], [3, SHELL, 'c'], [4, SHELL, 'aside']], [[1, 2], [2, 3]]);
  m.setTask(1, { taskParams: { rawScript: 'secret', localParams: [{ prop: 'n', direct: 'OUT', type: 'VARCHAR', value: '' }] } });
  const sent = excerpt(m, 2);
  assert.deepEqual(sent.tasks.map((x) => x.name).sort(), ['a', 'b']);
  assert.deepEqual(sent.relations, [{ preTaskCode: 1, postTaskCode: 2 }]);
  assert.equal(JSON.stringify(sent).includes('secret'), false);
});

test('names are asked for once, and a refusal leaves nothing to choose', async () => {
  /** @type {string[]} */
  const asked = [];
  const lookup = new Lookup({ workflows: '/p/{project}/choices', tasks: '/p/{project}/w/{workflow}/tasks', projects: '/projects' }, async (_, url) => {
    asked.push(url);
    if (url.startsWith('/p/9')) throw new Error('refused');
    return { workflows: [{ code: 7, name: 'daily' }], tasks: [{ code: 8, name: 't' }], projects: [{ code: 1, name: 'p' }] };
  });
  assert.equal((await lookup.workflow(1, 7))?.name, 'daily');
  assert.equal((await lookup.workflow(1, 7))?.name, 'daily');
  assert.equal(asked.length, 1);
  assert.deepEqual(await Promise.all([lookup.tasks(1, 7), lookup.tasks(1, 7)]).then((x) => x.map((y) => y[0].name)), ['t', 't']);
  assert.equal(asked.length, 2);
  assert.deepEqual(await lookup.workflows(9, 'x'), []);
  assert.deepEqual(await lookup.tasks(0, 7), []);
});

test('the picture of a workflow holds every task and branch, and names stay text', () => {
  const m = draw([[1, SHELL, '<script>&"'], [2, CONDITIONS, 'c'], [3, SHELL, 'good'], [4, SHELL, 'bad\ud800']], [[1, 2], [2, 3], [2, 4]]);
  m.setMeta({ name: 'night "ly"' });
  const colour = { edge: '#888', card: '#fff', line: '#ccc', text: '#000', success: '#0a0', failed: '#a00', none: '#999' };
  const { svg, w, h } = drawing(/** @type {any} */ ({ model: m, types, states: null, data: { definition: { version: 3 } } }), colour);
  assert.equal((svg.match(/<g>/g) ?? []).length, 4);
  assert.ok(svg.includes('stroke="#0a0"') && svg.includes('stroke="#a00"'), 'branches have their colours');
  assert.ok(!svg.includes('<script') && svg.includes('&#60;script&#62;&#38;&#34;'));
  assert.ok(svg.includes('v3'));
  assert.ok(w > 900 && h > 100);
  assert.doesNotThrow(() => encodeURIComponent(svg));
});
