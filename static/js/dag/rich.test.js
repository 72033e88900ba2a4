// @ts-check
import test from 'node:test';
import assert from 'node:assert/strict';
import { Lookup } from './lookup.js';
import { fileOf, moved, offered, textsOf, typesOf, withFile } from './rich-fields.js';
import { problem } from './schema.js';

/** @param {string} type @param {Partial<import('./types.js').Field>} [more] @returns {import('./types.js').Field} */
const field = (type, more = {}) => ({ name: 'f', type, label: 'F', ...more });

test('a file keeps what else its value holds, and is nothing when its name is taken away', () => {
  assert.equal(fileOf({ resourceName: 'default/resources/a.jar' }), 'default/resources/a.jar');
  assert.equal(fileOf({ res: 'old.jar' }), 'old.jar');
  assert.equal(fileOf('bare.jar'), 'bare.jar');
  assert.equal(fileOf(null), '');
  assert.deepEqual(withFile({ id: 3, resourceName: 'a' }, 'b'), { id: 3, resourceName: 'b' });
  assert.deepEqual(withFile({ res: 'a' }, 'b'), { resourceName: 'b' });
  assert.deepEqual(withFile(undefined, 'b'), { resourceName: 'b' });
  assert.equal(withFile({ resourceName: 'a' }, ''), null);
  assert.deepEqual(withFile({ id: 3, resourceName: 'a' }, ''), { id: 3, resourceName: '' });
});

test('a source has the type that another field says, its default, or one of the types of the field', () => {
  const of = field('source', { of: 'type' });
  const fields = [field('select', { name: 'type', alias: 'kind', default: 'MYSQL' })];
  assert.deepEqual(typesOf(of, { type: 'HIVE' }, fields), ['HIVE']);
  assert.deepEqual(typesOf(of, { kind: 'DORIS' }, fields), ['DORIS']);
  assert.deepEqual(typesOf(of, {}, fields), ['MYSQL']);
  assert.deepEqual(typesOf(of, {}, []), []);
  assert.deepEqual(typesOf(field('source', { sourceTypes: ['SSH'] }), {}, []), ['SSH']);
});

test('sources are offered by type, whatever its case, and by a part of the name', () => {
  const all = [{ id: 1, name: 'Sales', type: 'MYSQL', label: 'MySQL' }, { id: 2, name: 'sales_dw', type: 'HIVE', label: 'Hive' }];
  const ids = (/** @type {string[]} */ types, /** @type {string} */ q) => offered(all, types, q).map((s) => s.id);
  assert.deepEqual(ids([], ' SALES '), [1, 2]);
  assert.deepEqual(ids(['hive'], ''), [2]);
  assert.deepEqual(ids(['hive'], 'x'), []);
});

test('texts move by one place and not past the ends', () => {
  assert.deepEqual(moved(['a', 'b', 'c'], 1, -1), ['b', 'a', 'c']);
  assert.deepEqual(moved(['a', 'b', 'c'], 1, 1), ['a', 'c', 'b']);
  const list = ['a'];
  assert.equal(moved(list, 0, 1), list);
  assert.equal(moved(list, 0, -1), list);
  assert.deepEqual(textsOf('one'), ['one']);
  assert.deepEqual(textsOf(['a', null]), ['a', '']);
  assert.deepEqual(textsOf(undefined), []);
});

test('what must be chosen is missed, a reference may stand for a number', () => {
  const missing = (/** @type {string} */ type, /** @type {any} */ value) => problem(field(type, { required: true }), { f: value })?.key === 'js.editor.problem.required';
  assert.ok(missing('resource', { resourceName: ' ' }));
  assert.ok(!missing('resource', { resourceName: 'a.jar' }));
  assert.ok(!missing('resource', 'a.jar'));
  for (const type of ['source', 'alertgroup']) {
    for (const value of [undefined, null, 0, '0', '']) assert.ok(missing(type, value), `${type} ${value}`);
    for (const value of [3, '3', '${id}']) assert.ok(!missing(type, value), `${type} ${value}`);
  }
  assert.ok(missing('texts', []));
  assert.ok(missing('table', []));
});

test('lists that are made in another tab are asked for again, and a refusal is no empty list', async () => {
  let answer = /** @type {any} */ ({ sources: [{ id: 1, name: 'a', type: 'MYSQL', label: 'MySQL' }] });
  let asked = 0;
  const lookup = new Lookup({ sources: '/s' }, async () => {
    asked++;
    if (!answer) throw new Error('refused');
    return answer;
  });
  assert.equal((await lookup.sources())?.[0].id, 1);
  await lookup.sources();
  assert.equal(asked, 1, 'for a moment the answer holds');
  assert.equal(await lookup.alertGroups(), null, 'there is no address to ask');
  const other = new Lookup({ sources: '/s' }, async () => {
    if (!answer) throw new Error('refused');
    return answer;
  });
  answer = null;
  assert.equal(await other.sources(), null);
  answer = { sources: [] };
  assert.deepEqual(await other.sources(), [], 'a refusal is not remembered');
});
