// @ts-check
/** What parameters and texts of a task would be in a run at a chosen time. Nothing is run or saved for it. */
import { t } from '../messages.js';
import { ApiError, call } from './api.js';
import { parameterNames } from './check.js';
import { h, icon, uid } from './dom.js';
import { valueOf } from './schema.js';

/** @typedef {import('./editor.js').DagEditor} DagEditor @typedef {import('./types.js').Task} Task */
/** @typedef {{name: string, value: string, level: string, from?: string, later?: boolean}} Resolved */

/** The time and the samples chosen last; they stay while one goes from task to task. */
let chosen = '';
/** @type {Record<string, string>} */
const samples = {};

/**
 * As much of the document as the values of one task depend on: itself whole, of the tasks before it what they hand on.
 * @param {import('./model.js').Model} model @param {number} code
 */
export function excerpt(model, code) {
  const before = model.upstream([code]);
  return {
    ...model.meta,
    tasks: [...before].map((c) => model.tasks.get(c)).filter((x) => x !== undefined).map((x) =>
      x.code === code ? x : { code: x.code, name: x.name, taskType: x.taskType, taskParams: { localParams: x.taskParams?.localParams ?? [] } }),
    relations: [...before].flatMap((c) => [...(model.prev.get(c) ?? [])].map((p) => ({ preTaskCode: p, postTaskCode: c }))),
    locations: [],
  };
}

/** The texts of a task in which parameters may stand. @param {DagEditor} editor @param {Task} task @returns {{label: string, text: string}[]} */
function textsOf(editor, task) {
  return editor.types.get(task.taskType).fields
    .filter((f) => ['text', 'textarea', 'code'].includes(f.type))
    .map((f) => ({ label: f.label, text: String(valueOf(task.taskParams, f.name) ?? '') }))
    .filter((x) => x.text.includes('$'));
}

/** @returns {string} now, as a datetime-local field writes it */
function now() {
  const d = new Date();
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/**
 * @param {DagEditor} editor @param {number} code of the task; 0 for the workflow's own parameters
 * @param {() => import('./types.js').Property[]} [globals] the workflow's parameters while they are being edited
 */
export function previewBox(editor, code, globals = () => editor.model.meta.globalParams) {
  const id = uid('preview');
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const at = h('input.input', { id, type: 'datetime-local', value: chosen || now(), 'data-test': 'preview.at', onchange: () => {
    chosen = at.value;
    if (out.childElementCount) void show();
  } });
  const out = h('div.dag-preview', { 'aria-live': 'polite', 'data-test': 'preview.result' });
  let turn = 0;
  const show = async () => {
    const task = editor.model.tasks.get(code);
    if (code && !task) return;
    const mine = ++turn;
    const texts = task ? textsOf(editor, task) : [];
    const given = new Set(parameterNames(editor.model, code).filter((p) => p.source === 'upstream').map((p) => p.name));
    const own = Object.fromEntries(Object.entries(samples).filter(([name]) => given.has(name)));
    try {
      const res = await call('POST', editor.data.urls.preview ?? '', {
        definition: { ...excerpt(editor.model, code), globalParams: globals() }, taskCode: code, at: at.value, zone, texts: texts.map((x) => x.text), samples: own,
      });
      if (mine !== turn) return;
      out.replaceChildren(...render(res.params, texts, res.texts, (name, value) => {
        if (value) samples[name] = value;
        else delete samples[name];
        void show();
      }), ...branchRows(res.branches ?? []), ...dateRows(res.dates ?? []));
    } catch (err) {
      if (mine === turn) out.replaceChildren(h('p.hint.error', { role: 'alert' }, err instanceof ApiError && err.status ? err.message : t('js.editor.banner.offline')));
    }
  };
  return h('div.field', { 'data-field': 'preview' },
    h('label', { for: id }, t('js.editor.preview.at', { zone })),
    h('div.row', null, at, h('button.btn.sm', { type: 'button', 'data-test': 'preview.show', onclick: () => void show() }, icon('eye'), t('js.editor.preview.show'))),
    out);
}

const ORDER = ['local', 'startup', 'upstream', 'global', 'project', 'builtin'];
const LEVELS = /** @type {Record<string, string>} */ ({
  local: 'js.editor.param.local', startup: 'js.editor.param.sample', upstream: 'js.editor.param.upstream', global: 'js.editor.param.global',
  project: 'js.editor.param.project', builtin: 'js.editor.param.builtin',
});

/** @param {Resolved[]} params @param {{label: string}[]} texts @param {string[]} filled @param {(name: string, value: string) => void} sample */
function render(params, texts, filled, sample) {
  const sorted = [...params].sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level) || a.name.localeCompare(b.name));
  const row = (/** @type {Resolved} */ p) => h('li', { 'data-name': p.name },
    h('code', null, p.name),
    p.later || p.level === 'startup' ? h('input.input', {
      type: 'text', value: p.later ? '' : p.value, placeholder: p.later ? t('js.editor.preview.later', { task: p.from ?? '' }) : '', 'aria-label': t('js.editor.preview.sample', { name: p.name }),
      'data-test': `preview.sample.${p.name}`, onchange: (/** @type {any} */ e) => sample(p.name, e.target.value),
    }) : h('span.dag-value', null, p.value === '' ? h('span.mut', null, t('js.editor.preview.empty')) : p.value),
    h('span.pill', null, t(LEVELS[p.level] ?? 'js.editor.param.global')));
  const own = sorted.filter((p) => p.level !== 'builtin');
  const builtin = sorted.filter((p) => p.level === 'builtin');
  return [
    ...(own.length ? [h('ul.dag-resolved', null, ...own.map(row))] : []),
    ...texts.map((x, i) => h('div.field', null, h('span.lbl', null, x.label), h('pre.dag-filled', { tabindex: '0', 'aria-label': x.label, 'data-test': `preview.text.${i}` }, filled[i] ?? ''))),
    h('details', null, h('summary', null, t('js.editor.preview.builtin')), h('ul.dag-resolved', null, ...builtin.map(row))),
  ];
}

/** Which branch a SWITCH task would take. @param {{text: string, holds: boolean, error?: string}[]} branches */
function branchRows(branches) {
  if (!branches.length) return [];
  const taken = branches.findIndex((b) => b.holds);
  return [h('div.field', null, h('span.lbl', null, t('js.editor.preview.branches')), h('ul.dag-resolved.plain', { 'data-test': 'preview.branches' },
    ...branches.map((b, i) => h('li', { 'data-taken': i === taken ? '' : false },
      icon(i === taken ? 'circle-check' : b.error ? 'warn' : 'circle-x'), h('span.dag-value', null, b.text), h('span.mut', null, b.error ?? t(b.holds ? 'js.editor.preview.true' : 'js.editor.preview.false')))),
    h('li', { 'data-taken': taken < 0 ? '' : false }, icon(taken < 0 ? 'circle-check' : 'minus'), h('span', null, t('js.editor.logic.otherwise')), h('span'))))];
}

/** For which dates a DEPENDENT task would look. @param {{group: number, row: number, from: string, until: string, count: number}[]} dates */
function dateRows(dates) {
  if (!dates.length) return [];
  const wall = (/** @type {string} */ s) => s.slice(0, 16).replace('T', ' '); // already in the zone of the run
  return [h('div.field', null, h('span.lbl', null, t('js.editor.preview.dates')), h('ul.dag-resolved.plain', { 'data-test': 'preview.dates' },
    ...dates.map((d) => h('li', null, icon('cal'), h('span.dag-value', null, t('js.editor.preview.range', { from: wall(d.from), until: wall(d.until) })), h('span.mut', null, t('js.editor.preview.runs', { count: d.count }))))))];
}
