// @ts-check
import test from 'node:test';
import assert from 'node:assert/strict';
import { csv, reference, remember, remembered, tsv } from './sql-model.js';

test('names that are no plain words are quoted, part by part', () => {
  assert.equal(reference('orders', '"'), 'orders');
  assert.equal(reference('Orders', '"'), '"Orders"');
  assert.equal(reference('sales.Orders', '"'), 'sales."Orders"');
  assert.equal(reference('a.b', '`', 'dw'), 'dw.`a.b`');
  assert.equal(reference('a"b', '"'), '"a""b"');
});

test('files tell NULL from an empty text and keep spreadsheets from running formulas', () => {
  assert.equal(csv([['a', 'b'], [null, ''], ['x,"y"', '=1+1'], ['-5', '-1e3'], ['line\nbreak', '@x']]),
    '\uFEFFa,b\r\n,""\r\n"x,""y""",\'=1+1\r\n-5,-1e3\r\n"line\nbreak",\'@x\r\n');
  assert.equal(tsv([['a', null], ['b\tc\nd', '']]), 'a\t\nb c d\t');
});

test('the newest statement stands first and once, and twenty are kept', () => {
  /** @type {import('./sql-model.js').Asked[]} */
  let list = [];
  for (let i = 0; i < 30; i++) list = remember(list, `select ${i % 25}`, i);
  assert.equal(list.length, 20);
  assert.equal(list[0].sql, 'select 4');
  assert.equal(list.filter((x) => x.sql === 'select 4').length, 1);
  assert.equal(remember(list, '  ', 1), list);
  assert.equal(remember(list, 'x'.repeat(30_000), 1), list);
});

test('what is not what was kept is nothing', () => {
  for (const text of [null, '', '{', '{}', 'null']) assert.deepEqual(remembered(text), [], String(text));
  assert.deepEqual(remembered('[{"sql":"a","at":1},{"sql":1},null]'), [{ sql: 'a', at: 1 }]);
});
