// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';
import { decode, encode, join, split, UNITS } from './cron-model.js';

/** @param {string} text */
const parts = (text) => {
  const p = split(text);
  assert.ok(p, text);
  return p;
};

test('six and seven fields are taken apart, others are not', () => {
  assert.equal(join(parts(' 0 0 1  * * ? ')), '0 0 1 * * ? *');
  assert.equal(join(parts('0 0 8 ? * mon-fri 2027')), '0 0 8 ? * MON-FRI 2027');
  assert.equal(split('*/5 * * * *'), null);
  assert.equal(split(''), null);
});

test('a field is shown as the choice that it is', () => {
  const p = parts('0/15 5,35 9-17 * JAN,JUL ? 2026/2');
  assert.deepEqual(decode('second', p), { mode: 'step', a: 0, n: 15 });
  assert.deepEqual(decode('minute', p), { mode: 'list', values: [5, 35] });
  assert.deepEqual(decode('hour', p), { mode: 'range', a: 9, b: 17 });
  assert.deepEqual(decode('day', p), { mode: 'every' });
  assert.deepEqual(decode('month', p), { mode: 'list', values: [1, 7] });
  assert.deepEqual(decode('year', p), { mode: 'step', a: 2026, n: 2 });
  assert.deepEqual(decode('hour', parts('0 0 1-5,10 * * ?')), { mode: 'text', text: '1-5,10' });
});

test('days have choices of their own', () => {
  /** @param {string} day @param {string} week */
  const day = (day, week) => decode('day', parts(`0 0 0 ${day} * ${week}`));
  assert.deepEqual(day('L', '?'), { mode: 'last' });
  assert.deepEqual(day('LW', '?'), { mode: 'lastwork' });
  assert.deepEqual(day('L-3', '?'), { mode: 'before', n: 3 });
  assert.deepEqual(day('15W', '?'), { mode: 'nearest', a: 15 });
  assert.deepEqual(day('1/5', '?'), { mode: 'step', a: 1, n: 5 });
  assert.deepEqual(day('1,15', '?'), { mode: 'list', values: [1, 15] });
  assert.deepEqual(day('?', '6L'), { mode: 'lastweekday', a: 6 });
  assert.deepEqual(day('?', 'FRI#3'), { mode: 'nth', a: 6, n: 3 });
  assert.deepEqual(day('?', 'FRI-MON'), { mode: 'weekdays', values: [1, 2, 6, 7] });
  assert.deepEqual(day('?', 'MON-FRI'), { mode: 'weekdays', values: [2, 3, 4, 5, 6] });
  assert.deepEqual(day('?', '2/2'), { mode: 'weekstep', a: 2, n: 2 });
  assert.deepEqual(day('?', 'MON,6L'), { mode: 'text', text: 'MON,6L' });
  assert.deepEqual(day('?', '*'), { mode: 'every' });
});

test('what is decoded is encoded to the same meaning', () => {
  for (const text of [
    '0 0 1 * * ? *',
    '0/15 5,35 9-17 * 1,7 ? 2026/2',
    '0 0 8 ? * MON-FRI *',
    '0 0 8 L-3 * ? *',
    '0 0 8 15W * ? *',
    '0 0 8 ? * 6L *',
    '0 0 8 ? * 6#3 *',
    '0 0 8 LW * ? 2027',
    '0 0 1-5,10 1-7 * ? *',
    '0 0 8 ? * MON,6L *',
  ]) {
    let p = parts(text);
    for (const unit of UNITS) p = encode(unit, p, decode(unit, p));
    assert.equal(join(p), text);
  }
});

test('choosing a day sets both day fields', () => {
  const p = parts('0 0 8 ? * MON *');
  assert.equal(join(encode('day', p, { mode: 'last' })), '0 0 8 L * ? *');
  assert.equal(join(encode('day', p, { mode: 'weekdays', values: [] })), '0 0 8 * * ? *');
  assert.equal(join(encode('day', p, { mode: 'text', text: '? sat,sun' })), '0 0 8 ? * SAT,SUN *');
  assert.equal(join(encode('minute', p, { mode: 'list', values: [] })), '0 * 8 ? * MON *');
});
