// @ts-check
import test from 'node:test';
import assert from 'node:assert/strict';
import { colour256, level, parse, plain } from './ansi.js';
import { CAP, LogStore, parseRange, rangeHash } from './log-store.js';

test('the 16, 256 and true colours and bold become runs', () => {
  assert.deepEqual(parse('a\x1b[1;31mred\x1b[0m b'), [{ text: 'a' }, { text: 'red', bold: true, fg: '1' }, { text: ' b' }]);
  assert.deepEqual(parse('\x1b[92mx'), [{ text: 'x', fg: '10' }]);
  assert.deepEqual(parse('\x1b[38;5;196mx\x1b[48;5;4my'), [{ text: 'x', fg: '#ff0000' }, { text: 'y', fg: '#ff0000', bg: '4' }]);
  assert.deepEqual(parse('\x1b[38;2;1;2;255mx\x1b[39my'), [{ text: 'x', fg: '#0102ff' }, { text: 'y' }]);
  assert.equal(colour256(232), '#080808');
});

test('other escapes are dropped and markup stays text', () => {
  assert.equal(plain('\x1b[2K\x1b[1Ghello\x1b]0;title\x07 <b>\x1b(B'), 'hello <b>');
  assert.deepEqual(parse('\x1b[2J<script>'), [{ text: '<script>' }]);
  assert.deepEqual(parse('\x1b[999;;m\x1b[38;5mx'), [{ text: 'x' }]);
});

test('levels are read from the usual places', () => {
  assert.equal(level('2026-01-01 10:00:00 [main] ERROR o.a.Foo - x'), 'error');
  assert.equal(level('[WARN] disk'), 'warn');
  assert.equal(level('INFO: started'), 'info');
  assert.equal(level('\x1b[33mWARNING\x1b[0m x'), 'warn');
  assert.equal(level('java.lang.NullPointerException: null'), 'error');
  assert.equal(level('no errors found, information only'), '');
});

test('the store keeps a window of at most 200,000 lines with right numbers', () => {
  const s = new LogStore();
  for (let i = 0; i < 300; i++) s.append(i * 1000, Array.from({ length: 1000 }, (_, k) => `line ${i * 1000 + k}`));
  assert.equal(s.size, CAP);
  assert.equal(s.total, 300_000);
  assert.equal(s.line(s.from), `line ${s.from}`);
  assert.equal(s.line(299_999), 'line 299999');
  assert.equal(s.line(5), undefined);
});

test('overlap is skipped, a partial line is completed, a gap starts anew', () => {
  const s = new LogStore();
  s.append(0, ['a', 'b', 'par']);
  s.append(2, ['partial line', 'next']);
  assert.deepEqual([s.line(1), s.line(2), s.line(3), s.to], ['b', 'partial line', 'next', 4]);
  s.append(100, ['z']);
  assert.deepEqual([s.from, s.to], [100, 101]);
});

test('earlier lines can be put in front, also over several blocks', () => {
  const s = new LogStore();
  s.append(2500, ['last ERROR']);
  s.prepend(0, Array.from({ length: 2500 }, (_, i) => (i === 7 ? 'ERROR x' : String(i))));
  assert.deepEqual([s.from, s.to, s.line(0), s.line(1999), s.line(2500)], [0, 2501, '0', '1999', 'last ERROR']);
  assert.deepEqual(s.withLevels(new Set(['error'])), [7, 2500]);
  assert.equal(s.nextLevel('error', 7), 2500);
  assert.equal(s.counts.error, 2);
});

test('line links go both ways', () => {
  assert.deepEqual(parseRange('#L120-L130'), [119, 129]);
  assert.deepEqual(parseRange('#L130-120'), [119, 129]);
  assert.equal(parseRange('#foo'), null);
  assert.equal(rangeHash(119, 129), '#L120-L130');
  assert.equal(rangeHash(0, 0), '#L1');
});
