// @ts-check
import test from 'node:test';
import assert from 'node:assert/strict';
import { Model } from './model.js';

/** @param {number} code @param {string} [name] @returns {any} */
const task = (code, name = 't' + code) => ({ code, name, taskType: 'SHELL', taskParams: {}, flag: 'YES', taskPriority: 'MEDIUM', workerGroup: 'default' });
/** @param {number} n */
function chain(n) {
  const m = new Model();
  m.load({
    tasks: Array.from({ length: n }, (_, i) => task(i + 1)),
    relations: Array.from({ length: n - 1 }, (_, i) => ({ preTaskCode: i + 1, postTaskCode: i + 2 })),
    locations: Array.from({ length: n }, (_, i) => ({ taskCode: i + 1, x: i * 264, y: 0 })),
  });
  return m;
}

test('a cycle is refused with the path that would close', () => {
  const m = chain(4);
  assert.deepEqual(m.connect(4, 2), { why: 'cycle', path: [4, 2, 3, 4] });
  assert.equal(m.edges.size, 3);
});

test('double edges, self loops and unknown tasks are refused', () => {
  const m = chain(2);
  assert.equal(m.connect(1, 2)?.why, 'duplicate');
  assert.equal(m.connect(1, 1)?.why, 'self');
  assert.equal(m.connect(1, 9)?.why, 'missing');
});

test('undo brings a removed task back with its edges and its place', () => {
  const m = chain(3);
  const before = m.toDefinition();
  m.remove([2]);
  assert.equal(m.edges.size, 0);
  m.undo();
  assert.deepEqual(new Set(m.toDefinition().relations), new Set(before.relations));
  assert.deepEqual(m.place(2), { x: 264, y: 0 });
  m.redo();
  assert.equal(m.tasks.size, 2);
});

test('typing in one field is one undo step, a sealed step stays apart', () => {
  const m = chain(1);
  for (const name of ['a', 'ab', 'abc']) m.setTask(1, { name }, { merge: 'name:1' });
  assert.equal(m.undoStack.length, 1);
  m.seal();
  m.setTask(1, { name: 'abcd' }, { merge: 'name:1' });
  assert.equal(m.undoStack.length, 2);
  m.undo();
  assert.equal(m.tasks.get(1)?.name, 'abc');
  m.undo();
  assert.equal(m.tasks.get(1)?.name, 't1');
});

test('undo covers settings and global parameters', () => {
  const m = chain(1);
  m.setMeta({ globalParams: [{ prop: 'dt', direct: 'IN', type: 'VARCHAR', value: '$[yyyyMMdd]' }] });
  m.undo();
  assert.deepEqual(m.meta.globalParams, []);
});

test('a batch is one undo step', () => {
  const m = chain(3);
  m.batch('bulk', () => {
    m.setTask(1, { flag: 'NO' });
    m.setTask(2, { flag: 'NO' });
    m.remove([3]);
  });
  assert.equal(m.undoStack.length, 1);
  m.undo();
  assert.equal(m.tasks.get(1)?.flag, 'YES');
  assert.equal(m.tasks.size, 3);
  assert.equal(m.edges.size, 2);
});

test('an edge end can move, but not into a cycle', () => {
  const m = chain(4);
  assert.equal(m.reconnect('3>4', 3, 1)?.why, 'cycle');
  assert.ok(m.edges.has('3>4'));
  assert.equal(m.reconnect('3>4', 2, 4), null);
  assert.deepEqual([...m.edges.keys()].sort(), ['1>2', '2>3', '2>4']);
  m.undo();
  assert.ok(m.edges.has('3>4') && !m.edges.has('2>4'));
});

test('the predecessors of a task can be set at once', () => {
  const m = chain(4);
  assert.equal(m.setUpstream(4, [1, 2]), null);
  assert.deepEqual([...(m.prev.get(4) ?? [])].sort(), [1, 2]);
  assert.equal(m.setUpstream(1, [4])?.why, 'cycle');
});

test('upstream and downstream follow all ways', () => {
  const m = chain(5);
  assert.deepEqual([...m.upstream([3])].sort(), [1, 2, 3]);
  assert.deepEqual([...m.downstream([3])].sort(), [3, 4, 5]);
  assert.deepEqual(m.topological(), [1, 2, 3, 4, 5]);
});

test('names are made unique', () => {
  const m = chain(2);
  assert.equal(m.freeName('load'), 'load');
  assert.equal(m.freeName('t1'), 't1_2');
  m.setTask(2, { name: 't1_2' });
  assert.equal(m.freeName('t1_2'), 't1_3');
});

test('root rows with preTaskCode 0 and dangling edges are dropped on load', () => {
  const m = new Model();
  m.load({ tasks: [task(1)], relations: [{ preTaskCode: 0, postTaskCode: 1 }, { preTaskCode: 1, postTaskCode: 7 }], locations: null });
  assert.equal(m.edges.size, 0);
  assert.deepEqual(m.unplaced(), [1]);
});

test('5,000 tasks in a chain are checked for cycles within 50 ms', () => {
  const m = chain(5000);
  let best = Infinity; // of some, since tests share the machine
  for (let i = 0; i < 20 && best >= 50; i++) {
    const start = performance.now();
    assert.equal(m.cannotConnect(5000, 1)?.path?.length, 5001);
    best = Math.min(best, performance.now() - start);
  }
  assert.ok(best < 50);
});
