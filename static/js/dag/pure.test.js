// @ts-check
import test from 'node:test';
import assert from 'node:assert/strict';
import { Model } from './model.js';
import { copyText, parseClip, plan } from './clipboard.js';
import { findTasks, findTypes } from './search.js';
import { Types, defaults, newTask, offering, problem, tidy, valueOf, visible, withValue } from './schema.js';
import { check, parameterNames } from './check.js';
import { SpatialIndex, boundsOf, rest, within } from './geometry.js';
import { command } from './keys.js';
import { drawing } from './picture.js';
import { arrowhead, curve, direct, edgeDistance, ends, middle, path, route } from './route.js';
import { duration, look, ran } from './states.js';
import { readSettings, writeSettings } from './panel-settings.js';

/** @type {import('./types.js').TaskType} */
const SHELL = {
  type: 'SHELL', category: 'universal', label: 'Shell', icon: 'terminal', aliases: ['bash', '脚本'], retryable: true,
  fields: [{ name: 'rawScript', type: 'code', label: 'Script', required: true, language: 'shell' }],
};
/** @type {import('./types.js').TaskType} */
const HTTP = {
  type: 'HTTP', category: 'universal', label: 'HTTP', icon: 'globe', aliases: ['rest', '接口'],
  fields: [
    { name: 'url', type: 'text', label: 'URL', required: true },
    { name: 'method', type: 'select', label: 'Method', default: 'GET', options: [{ value: 'GET', label: 'GET' }, { value: 'POST', label: 'POST' }] },
    { name: 'body', type: 'textarea', label: 'Body', required: true, visibleWhen: { field: 'method', in: ['POST'] } },
    { name: 'timeout', type: 'number', label: 'Timeout', default: 60, min: 1, max: 100 },
  ],
};
const types = new Types({ types: [SHELL, HTTP] });

/** @param {...any} tasks */
function workflow(...tasks) {
  const m = new Model();
  m.load({ tasks, relations: [], locations: tasks.map((x, i) => ({ taskCode: x.code, x: 100 + i * 264, y: 50 })) });
  return m;
}

test('settings of a foreign task are read back as they were written, without its parameters', () => {
  const params = { localParams: [{ prop: 'a' }], sql: 'select 1', deep: { list: [1, null, 'x'] } };
  assert.deepEqual(readSettings(writeSettings(params)), { sql: 'select 1', deep: { list: [1, null, 'x'] } });
  assert.deepEqual(readSettings(''), {});
  for (const text of ['{', '[]', 'null', '"x"', '7']) assert.equal(readSettings(text), null, text);
});

test('pasted tasks get new codes, free names, inner edges and the old arrangement', () => {
  const m = workflow(newTask(SHELL, 1, 'a'), newTask(SHELL, 2, 'b'), newTask(SHELL, 3, 'c'));
  m.connect(1, 2);
  m.connect(2, 3);
  const clip = parseClip(copyText(m, [1, 2]));
  assert.ok(clip);
  const p = plan(m, clip, [11, 12], { x: 0, y: 0 });
  assert.deepEqual(p.tasks.map((x) => [x.code, x.name]), [[11, 'a_2'], [12, 'b_2']]);
  assert.deepEqual(p.relations.map((e) => [e.preTaskCode, e.postTaskCode]), [[11, 12]]);
  assert.deepEqual(p.places, [{ x: 0, y: 0 }, { x: 264, y: 0 }]);
});

test('pasting the same clip into another workflow keeps its names', () => {
  const clip = parseClip(copyText(workflow(newTask(SHELL, 1, 'a')), [1]));
  assert.ok(clip);
  assert.equal(plan(workflow(), clip, [9], null).tasks[0].name, 'a');
});

test('other clipboard text is not taken for tasks', () => {
  for (const text of ['', 'hello dorado/tasks', '{"kind":"dorado/tasks","tasks":[]}', '{"kind":"dorado/tasks","tasks":[{"code":"x"}]}']) {
    assert.equal(parseClip(text), null, text);
  }
});

test('the palette finds types by label, type and Chinese or English alias', () => {
  const names = (/** @type {string} */ q) => findTypes(types.all, q).map((x) => x.type);
  assert.deepEqual(names('sh'), ['SHELL']);
  assert.deepEqual(names('脚本'), ['SHELL']);
  assert.deepEqual(names('REST'), ['HTTP']);
  assert.deepEqual(names('t'), ['HTTP']);
  assert.deepEqual(names(''), ['SHELL', 'HTTP']);
  assert.deepEqual(names('zzz'), []);
});

test('tasks are found by name, type and script line', () => {
  const a = newTask(SHELL, 1, 'load_orders');
  const b = newTask(SHELL, 2, 'other');
  b.taskParams.rawScript = 'set -e\npsql -c "select 1 from orders"\n';
  const hits = findTasks([b, a], 'orders', (x) => types.label(x));
  assert.deepEqual(hits.map((h) => [h.task.code, h.where]), [[1, 'name'], [2, 'script']]);
  assert.equal(hits[1].text, 'psql -c "select 1 from orders"');
  assert.equal(findTasks([a, b], 'shell', (x) => types.label(x)).length, 2);
});

test('a hidden field is neither required nor shown', () => {
  const body = HTTP.fields[2];
  assert.equal(visible(body, { method: 'GET' }), false);
  assert.equal(problem(body, { method: 'GET' }), null);
  assert.equal(problem(body, { method: 'POST' })?.key, 'js.editor.problem.required');
});

test('numbers keep their limits, references may stand for them', () => {
  const f = HTTP.fields[3];
  assert.equal(problem(f, { timeout: 0 })?.key, 'js.editor.problem.min');
  assert.equal(problem(f, { timeout: 101 })?.key, 'js.editor.problem.max');
  assert.equal(problem(f, { timeout: 'x' })?.key, 'js.editor.problem.number');
  assert.equal(problem(f, { timeout: '${limit}' }), null);
  assert.equal(problem(HTTP.fields[1], { method: 'PUT' })?.key, 'js.editor.problem.option');
});

test('a new task starts with the defaults of its type', () => {
  assert.deepEqual(defaults(HTTP), { localParams: [], resourceList: [], method: 'GET', timeout: 60 });
});

test('the check names task and field of each problem', () => {
  const a = newTask(SHELL, 1, 'same');
  const b = newTask(HTTP, 2, 'same');
  b.taskParams.url = 'http://x/${dt}';
  b.workerGroup = 'gone';
  b.timeoutFlag = 'OPEN';
  b.taskParams.localParams = [{ prop: 'p', direct: 'IN', type: 'VARCHAR', value: '' }, { prop: 'p', direct: 'IN', type: 'VARCHAR', value: '' }];
  const found = check(workflow(a, b), types, { workerGroups: ['default'] }).map((f) => `${f.taskCode} ${f.field} ${f.key.split('.').at(-1)} ${f.severity}`);
  assert.deepEqual(found.sort(), [
    '1 name duplicateName error', '1 rawScript required error', '2 localParams paramTwice error', '2 name duplicateName error',
    '2 timeout timeout error', '2 url undefinedParam warning', '2 workerGroup workerGroup warning',
  ]);
  assert.equal(check(workflow(), types)[0].key, 'js.editor.problem.empty');
});

test('completion offers own, upstream and global names', () => {
  const a = newTask(SHELL, 1, 'a');
  const b = newTask(SHELL, 2, 'b');
  a.taskParams.localParams = [{ prop: 'rows', direct: 'OUT', type: 'INTEGER', value: '' }, { prop: 'mine', direct: 'IN', type: 'VARCHAR', value: '' }];
  const m = workflow(a, b);
  m.setMeta({ globalParams: [{ prop: 'dt', direct: 'IN', type: 'VARCHAR', value: '' }] });
  m.connect(1, 2);
  const names = parameterNames(m, 2).filter((p) => p.source !== 'builtin');
  assert.deepEqual(names, [{ name: 'rows', source: 'upstream' }, { name: 'dt', source: 'global' }]);
});

test('the index finds cards in a rectangle, also left of zero', () => {
  const index = new SpatialIndex();
  index.add(1, { x: -600, y: -600 });
  index.add(2, { x: 5000, y: 10 });
  /** @type {number[]} */
  const got = [];
  index.near(-700, -700, 0, 0, (c) => got.push(c));
  assert.deepEqual(got, [1]);
  assert.deepEqual(boundsOf([{ x: -10, y: 0 }, { x: 90, y: 40 }]), { x: -10, y: 0, w: 300, h: 92 });
});

test('a dragged card snaps to a neighbour, else to the grid', () => {
  assert.deepEqual(rest(103, 55, [{ x: 101, y: 400 }]), { x: 101, y: 56, lineX: 101, lineY: null });
});

test('the distance from an edge is small on it and large off it', () => {
  const level = direct(...ends({ x: 0, y: 0 }, { x: 400, y: 0 }));
  assert.ok(edgeDistance({ x: 300, y: 26 }, level) < 1);
  assert.ok(edgeDistance({ x: 300, y: 80 }, level) > 50);
  const late = { ...direct(...ends({ x: 0, y: 0 }, { x: 800, y: 400 })), from: 700 };
  assert.ok(edgeDistance({ x: 500, y: 26 }, late) < 1, 'on its straight part');
  assert.ok(edgeDistance({ x: 500, y: 226 }, late) > 150, 'where a direct one would run');
});

test('keys name commands, with and without modifiers', () => {
  assert.equal(command({ key: 'z', ctrlKey: true }), 'undo');
  assert.equal(command({ key: 'Z', ctrlKey: true, shiftKey: true }), 'redo');
  assert.equal(command({ key: 'c' }), 'connect');
  assert.equal(command({ key: 'c', metaKey: true }), 'copy');
  assert.equal(command({ key: 'L', shiftKey: true }), 'layout');
  assert.equal(command({ key: 'A', shiftKey: true }), null);
  assert.equal(command({ key: 'v', ctrlKey: true, altKey: true }), null);
});

test('states have a look, durations a short form', () => {
  assert.equal(look('FORCED_SUCCESS').kind, 'success');
  assert.equal(look('SOMETHING_NEW').kind, 'none');
  assert.equal(duration(41_000), '41s');
  assert.equal(duration(401_000), '6m 41s');
  assert.equal(duration(3_780_000), '1h 03m');
  assert.equal(ran({ startTime: '2026-01-01T00:00:00Z' }, Date.parse('2026-01-01T00:01:00Z')), '1m 00s');
});

test('a name with a dot is a member of an inner object, whose other members stay', () => {
  /** @type {import('./types.js').TaskType} */
  const type = { type: 'DQ', category: 'dq', label: 'DQ', icon: 'x', fields: [
    { name: 'in.kind', type: 'select', label: 'Kind', default: 'a', options: [{ value: 'a', label: 'a' }, { value: 'b', label: 'b' }] },
    { name: 'in.text', type: 'text', label: 'Text', required: true, alias: 'in.old', visibleWhen: { field: 'in.kind', in: ['b'] } },
    { name: 'plain', type: 'number', label: 'n', default: 1 },
  ] };
  assert.deepEqual(defaults(type), { localParams: [], resourceList: [], in: { kind: 'a' }, plain: 1 });
  const text = type.fields[1];
  assert.equal(problem(text, defaults(type)), null, 'it is not shown');
  const before = { in: { kind: 'b', more: [1] }, other: 2 };
  assert.equal(problem(text, before)?.key, 'js.editor.problem.required');
  assert.equal(problem(text, { in: { kind: 'b', old: 'o' } }), null);
  const after = withValue(before, 'in.text', 'x');
  assert.deepEqual(after, { in: { kind: 'b', more: [1], text: 'x' }, other: 2 });
  assert.deepEqual(before, { in: { kind: 'b', more: [1] }, other: 2 }, 'what was there is not changed');
  assert.equal(valueOf(after, 'in.text'), 'x');
  assert.equal(valueOf(undefined, 'in.text'), undefined);
  assert.equal(valueOf({}, 'in.text'), undefined);
  assert.deepEqual(withValue(undefined, 'in.text', 'x'), { in: { text: 'x' } });
  assert.deepEqual(withValue({ a: 1 }, 'a', 2), { a: 2 });
});

/** A type whose object "side" is a text. @returns {import('./types.js').TaskType} */
const packedType = () => {
  const base = { field: 'kind', in: ['A', 'B'], otherwise: 'A' };
  return {
    type: 'PACKED', category: 'x', label: 'Packed', icon: 'x',
    fields: [
      { name: 'way', type: 'select', label: 'Way', default: 'in', options: [{ value: 'in', label: 'In' }, { value: 'out', label: 'Out' }] },
      { name: 'kind', type: 'select', label: 'Kind', default: 'A', options: [
        { value: 'A', label: 'A', when: { field: 'way', in: ['in'] } }, { value: 'B', label: 'B', when: { field: 'way', in: ['in'] } }, { value: 'C', label: 'C', when: { field: 'way', in: ['out'] } },
      ] },
      { name: 'side.type', type: 'text', label: 'Type', packed: true, sameAs: 'kind', required: true, visibleWhen: base },
      { name: 'side.mode', type: 'select', label: 'Mode', packed: true, default: '1', options: [{ value: '0', label: 'T' }, { value: '1', label: 'Q' }], visibleWhen: base },
      { name: 'side.table', type: 'text', label: 'Table', packed: true, required: true, visibleWhen: { ...base, and: { field: 'side.mode', in: ['0'], otherwise: '1' } } },
      { name: 'side.dir', type: 'text', label: 'Dir', packed: true, required: true, visibleWhen: { field: 'kind', in: ['C'], otherwise: 'A' } },
    ],
  };
};

test('an object that is kept as a text stays one, with the members of the fields that are shown', () => {
  const type = packedType();
  const fresh = defaults(type);
  assert.deepEqual(fresh, { localParams: [], resourceList: [], way: 'in', kind: 'A', side: '{"type":"A","mode":"1"}' });
  const [, kind, mirror, , table, dir] = type.fields;
  assert.equal(visible(table, fresh), false);
  assert.equal(problem(mirror, {}), null, 'nobody can fill in what is not shown');

  let now = tidy(type, withValue({ ...fresh, side: '{"type":"A","mode":"0","other":[1]}' }, 'side.table', 'orders "x"'));
  assert.equal(now.side, '{"type":"A","mode":"0","other":[1],"table":"orders \\"x\\""}');
  assert.equal(valueOf(now, 'side.table'), 'orders "x"');
  now = tidy(type, withValue(now, 'kind', 'B'));
  assert.equal(valueOf(now, 'side.type'), 'B');
  now = tidy(type, withValue(now, 'side.mode', '1'));
  assert.equal(now.side, '{"type":"B","mode":"1","other":[1]}', 'what no field is for stays');

  assert.deepEqual(offering(kind, now).options?.map((o) => o.value), ['A', 'B']);
  now = tidy(type, withValue(now, 'way', 'out'));
  assert.equal(now.kind, 'C', 'the first that is offered');
  assert.equal(now.side, '{"other":[1]}');
  assert.deepEqual(offering(kind, now).options?.map((o) => o.value), ['C']);
  assert.equal(problem(dir, now)?.key, 'js.editor.problem.required');
  assert.equal(tidy(type, withValue(now, 'side.dir', '/in')).side, '{"other":[1],"dir":"/in"}');

  assert.equal(visible(table, { side: '{"mode":"0"}' }), true, 'a choice that settings do not name is the default');
  assert.equal(valueOf({ side: '{"no' }, 'side.table'), undefined);
  assert.equal(valueOf({ side: '[1]' }, 'side.table'), undefined);
  assert.equal(tidy(type, withValue({ kind: '${x}', side: 'no' }, 'side.table', 'x')).kind, '${x}', 'a parameter stays');
});

test('a new task of a streaming type is a streaming task', () => {
  assert.equal(newTask(SHELL, 1, 'a').taskExecuteType, 'BATCH');
  assert.equal(newTask({ ...SHELL, stream: true }, 1, 'a').taskExecuteType, 'STREAM');
});

test('a graph is within the view only with all four of its sides', () => {
  const part = { x: -100, y: 40, w: 400, h: 200 };
  const view = { width: 500, height: 300 };
  const at = (/** @type {number} */ tx, /** @type {number} */ ty, k = 1) => within(part, { k, tx, ty }, view);
  assert.equal(at(100, -40), true, 'its corner is the corner of the view');
  assert.equal(at(99, -40), false, 'left');
  assert.equal(at(100, -41), false, 'top');
  assert.equal(at(200, 60), true, 'right and bottom to the pixel');
  assert.equal(at(201, 60), false, 'right');
  assert.equal(at(200, 61), false, 'bottom');
  assert.equal(at(200, 0, 2), false, 'too large');
  assert.equal(at(250, 0, 0.5), true, 'from further away');
});

test('an edge goes straight through its head, and the head ends where the port begins', () => {
  assert.equal(arrowhead(300, 80), 'M295.5 80l-8-4.5v9z');
  assert.match(curve(100, 0, 300, 80), /^M100 0C\S+ 0 \S+ 80 287\.5 80H300$/);
});

/** Places of cards by code, and the way between the first two of them. @param {...[number, number]} at */
const wayAmong = (...at) => {
  const places = at.map(([x, y]) => ({ x, y }));
  const index = new SpatialIndex();
  places.forEach((p, code) => index.add(code, p));
  return route(0, 1, index, (code) => places[code]);
};

test('an edge runs around the cards between its ends', () => {
  const plain = wayAmong([0, 300], [540, 0]);
  assert.deepEqual(plain, direct(200, 326, 540, 26), 'nothing is in between');
  assert.deepEqual(wayAmong([0, 300], [540, 0], [270, 600], [0, 0]), plain, 'what is elsewhere is not in its way');

  const late = wayAmong([0, 300], [540, 0], [270, 150], [270, 20]);
  assert.ok(late.from > 470 && late.to === plain.to, 'below the cards, and up in the gap before the last one');
  assert.match(path(late), /^M200 326H475\.5C/);
  assert.deepEqual(middle(late), { x: (200 + late.from) / 2, y: 326 }, 'its words stand on the long part');

  const early = wayAmong([0, 300], [540, 0], [270, 150], [270, 280]);
  assert.ok(early.from === 200 && early.to < 270, 'up in the gap behind the first one, and above the cards');
  assert.deepEqual(middle(early), { x: (early.to + 540) / 2, y: 26 });

  assert.deepEqual(wayAmong([0, 300], [540, 0], [270, 150], [270, 280], [270, 10]), plain, 'there is no way around');
  assert.deepEqual(wayAmong([540, 0], [0, 300], [270, 150]), direct(740, 26, 0, 326), 'back to the left');
});

test('in the picture of a run each edge and its head have the colour of what happened', () => {
  const m = workflow(...[1, 2, 3, 4, 5].map((code) => newTask(SHELL, code, `t${code}`)));
  for (const [a, b] of [[1, 2], [2, 3], [1, 4], [4, 5]]) m.connect(a, b);
  const states = new Map([[1, { state: 'SUCCESS' }], [2, { state: 'FAILURE' }], [4, { state: 'RUNNING_EXECUTION' }]]);
  const colour = { success: 'green', failed: 'red', running: 'blue', edge: 'grey', card: 'white', line: 'silver', none: 'silver', text: 'black' };
  const data = /** @type {any} */ ({ definition: {} });
  const seen = (/** @type {any} */ run) => [...drawing({ model: m, types, states: run, data }, colour).svg.matchAll(/stroke="(\w+)" stroke-width="1.5"\/><path d="[^"]+" fill="(\w+)"/g)].map((x) => `${x[1]} ${x[2]}`);
  assert.deepEqual(seen(states), ['green green', 'red red', 'blue blue', 'grey grey']);
  assert.deepEqual(seen(null), Array(4).fill('grey grey'));
});
