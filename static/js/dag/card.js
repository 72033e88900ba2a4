// @ts-check
/** The card of a task on the canvas. */
import { t } from '../messages.js';
import { h, icon, iconRef } from './dom.js';
import { look, ran } from './states.js';

/** @typedef {import('./types.js').Task} Task @typedef {import('./view.js').View} View */

/** @type {HTMLElement | null} */
let card = null;
/** @returns {HTMLElement} */
export const emptyCard = () =>
  /** @type {HTMLElement} */ ((card ??= h('div.dag-node', { role: 'group', 'data-test': 'editor.node' },
    h('span.ic', null, icon('shell')),
    h('span.tx', null, h('b'), h('small')),
    h('span.dag-badges'),
    h('i.port.in', { 'data-test': 'editor.port.in' }),
    h('i.port.out', { 'data-test': 'editor.port.out' }))).cloneNode(true));

/** @param {View} view @param {HTMLElement} el @param {Task} task */
export function fillCard(view, el, task) {
  const { ctx } = view;
  const type = ctx.types.get(task.taskType);
  const run = ctx.states?.get(task.code);
  const seen = look(run?.state);
  const problem = ctx.problems.get(task.code);
  const off = task.flag === 'NO';
  const stream = task.taskExecuteType === 'STREAM';
  el.dataset.name = task.name;
  el.dataset.type = task.taskType;
  el.dataset.category = type.category;
  el.toggleAttribute('data-off', off);
  el.toggleAttribute('data-finally', !!task.finally);
  el.toggleAttribute('data-stream', stream);
  el.toggleAttribute('data-sel', view.selected.has(task.code));
  el.toggleAttribute('data-on', !!view.lit?.has(task.code));
  el.toggleAttribute('data-faint', !!view.shown && !view.shown.has(task.code));
  if (ctx.states) el.dataset.state = seen.kind;
  if (problem) el.dataset.problem = problem;
  else delete el.dataset.problem;
  const [box, texts, badges] = /** @type {any} */ (el.children);
  box.querySelector('use').setAttribute('href', iconRef(type.icon));
  texts.children[0].textContent = task.name || t('js.editor.unnamed');
  texts.children[1].textContent = detail(view, task, type.label, run);
  badges.replaceChildren();
  const badge = (/** @type {string} */ name, /** @type {string} */ title) => {
    const b = h('span.dag-badge', { title }, icon(name));
    b.dataset.badge = name;
    badges.append(b);
  };
  if (problem) badge('warn', t(problem === 'error' ? 'js.editor.badge.error' : 'js.editor.badge.warning'));
  if (off) badge('ban', t('js.editor.badge.off'));
  if (stream) badge('activity', t('js.editor.badge.stream'));
  if (task.finally) badge('flag', t('js.editor.badge.finally'));
  if (!ctx.states) {
    if (Number(task.failRetryTimes) > 0) badges.append(h('span.dag-badge', { title: t('js.editor.badge.retry', { n: Number(task.failRetryTimes) }) }, icon('rerun'), String(task.failRetryTimes)));
    if (task.timeoutFlag === 'OPEN') badge('timer', t('js.editor.badge.timeout', { n: Number(task.timeout) }));
    if (task.isCache === 'YES') badge('data', t('js.editor.badge.cache'));
    if (Number(task.taskGroupId) > 0 && !type.logic) badge('group', t('js.editor.badge.taskGroup'));
  } else badges.append(icon(seen.icon, seen.kind === 'running' ? 'st spin' : 'st'));
  el.title = task.name;
  el.setAttribute('aria-label', view.describe(task.code));
}
/** @param {View} view @param {Task} task @param {string} label @param {import('./types.js').RunState | undefined} run */
function detail(view, task, label, run) {
  const parts = [label];
  if (run) {
    if ((run.attempt ?? 0) > 1) parts.push(t('js.editor.attempt', { n: run.attempt ?? 0, of: run.maxAttempts ?? run.attempt ?? 0 }));
    const took = ran(run, Date.now());
    if (took) parts.push(took);
  } else if (!view.ctx.states && task.workerGroup && task.workerGroup !== 'default') parts.push(task.workerGroup);
  return parts.join(' · ');
}
