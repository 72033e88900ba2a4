// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { distance, parts } from './time.js';

const minute = 60_000;

test('the distance is told in the largest unit that fits', () => {
  assert.deepEqual(distance(0, 20_000), { value: 0, unit: 'second' });
  assert.deepEqual(distance(0, 12 * minute), { value: -12, unit: 'minute' });
  assert.deepEqual(distance(240 * minute, 0), { value: 4, unit: 'hour' });
  assert.deepEqual(distance(0, 72 * 60 * minute), { value: -3, unit: 'day' });
  assert.equal(distance(0, 100 * 1440 * minute), null);
});

test('a duration has at most two units and skips empty ones', () => {
  assert.deepEqual(parts(401_000), [['m', 6], ['s', 41]]);
  assert.deepEqual(parts(3_600_000), [['h', 1]]);
  assert.deepEqual(parts(0), [['s', 0]]);
  assert.deepEqual(parts(-5), [['s', 0]]);
});
