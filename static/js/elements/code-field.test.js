// @ts-check
import test from 'node:test';
import assert from 'node:assert/strict';

// The element itself needs a browser; its completion does not.
/** @type {any} */ (globalThis).HTMLElement ??= class {};
/** @type {any} */ (globalThis).customElements ??= { get: () => undefined, define: () => {} };
const { complete } = await import('./code-field.js');

const names = [{ name: 'dt', source: 'global' }];

test('references are offered after ${ and time expressions after $[', () => {
  const a = complete('echo ${d', names);
  assert.equal(a?.from, -3);
  assert.deepEqual(a?.options.map((o) => o.label), ['${dt}']);
  const b = complete('x=$[yyyy', names);
  assert.equal(b?.from, -6);
  assert.ok(b?.options.every((o) => o.label.startsWith('$[')));
  assert.ok((complete('$', names)?.options.length ?? 0) > 10);
});

test('nothing is offered elsewhere', () => {
  assert.equal(complete('echo dt', names), null);
  assert.equal(complete('${dt} ', names), null);
});
