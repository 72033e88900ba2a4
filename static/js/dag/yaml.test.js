// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Model } from './model.js';
import { difference } from './yaml.js';

const task = (/** @type {number} */ code, /** @type {string} */ name) => ({ code, name, taskType: 'SHELL', taskParams: { rawScript: name }, flag: 'YES', taskPriority: 'MEDIUM', workerGroup: 'default' });
const start = () => {
  const model = new Model();
  model.load({ name: 'w', tasks: [task(1, 'a'), task(2, 'b')], relations: [{ preTaskCode: 1, postTaskCode: 2 }], locations: [{ taskCode: 1, x: 0, y: 0 }, { taskCode: 2, x: 9, y: 0 }] });
  return model;
};
const said = (/** @type {Model} */ m) => /** @type {any} */ ({ ...m.toDefinition() });

test('a text that says what the canvas says changes nothing', () => {
  const model = start();
  assert.equal(difference(model, said(model)), null);
});

test('one undo takes back all that a text changed', () => {
  const model = start();
  const before = model.toDefinition();
  const def = said(model);
  def.name = 'x';
  def.tasks = [{ ...task(1, 'a'), workerGroup: 'spark' }, task(3, 'c')];
  def.relations = [{ preTaskCode: 1, postTaskCode: 3, name: 'ok' }];
  def.locations = [{ taskCode: 1, x: 0, y: 0 }, { taskCode: 3, x: 5, y: 5 }];
  const patch = difference(model, def);
  assert.ok(patch);
  model.commit(patch);
  assert.deepEqual([...model.tasks.keys()], [1, 3]);
  assert.equal(model.tasks.get(1)?.workerGroup, 'spark');
  assert.equal(model.edges.get('1>3')?.name, 'ok');
  assert.equal(difference(model, def), null);
  model.undo();
  assert.equal(difference(model, /** @type {any} */ (before)), null);
});
