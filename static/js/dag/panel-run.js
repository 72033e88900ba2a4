// @ts-check
/** The settings of how a task runs: when, where, how often it is tried, and for how long. */
import { t } from '../messages.js';
import { h } from './dom.js';

/** @typedef {import('./types.js').Task} Task @typedef {import('./panel.js').Panel} Panel */

/** @param {[string, string][]} list */
const options = (list) => list.map(([value, label]) => ({ value, label }));

/** @param {Panel} panel @param {Task} task @returns {any[]} */
export function runTab(panel, task) {
  const { editor } = panel;
  const { features } = editor.data;
  const type = editor.types.get(task.taskType);
  const int = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ help = '', min = 0, off = false) =>
    panel.common({ name, type: 'number', label, help, min }, /** @type {any} */ (task)[name] ?? 0, (v) => ({ [name]: v === '' ? min : v }), off);
  const stream = task.taskExecuteType === 'STREAM';
  const rows = [panel.common({ name: 'flag', type: 'switch', label: t('js.editor.field.flag'), help: t('js.editor.field.flag.help') }, task.flag !== 'NO', (v) => ({ flag: v ? 'YES' : 'NO' }))];
  if (type.stream) {
    rows.push(panel.common({ name: 'taskExecuteType', type: 'switch', label: t('js.editor.field.stream'), help: t('js.editor.field.stream.help') }, stream, (v) => {
      queueMicrotask(() => panel.render());
      return { taskExecuteType: v ? 'STREAM' : 'BATCH' };
    }));
  }
  if (features.finally && !stream) {
    rows.push(panel.common({ name: 'finally', type: 'switch', label: t('js.editor.field.finally'), help: t('js.editor.field.finally.help') }, !!task.finally, (v) => ({ finally: v || undefined })));
  }
  const priority = panel.common({ name: 'taskPriority', type: 'select', label: t('js.editor.field.priority'), options: editor.priorities() }, task.taskPriority || 'MEDIUM', (v) => ({ taskPriority: v }));
  if (type.logic) rows.push(priority);
  else rows.push(...placeRows(panel, task, priority, int));
  if (type.retryable !== false && !stream) {
    rows.push(h('div.two-col', null, int('failRetryTimes', t('js.editor.field.retryTimes')), int('failRetryInterval', t('js.editor.field.retryInterval'))));
  }
  if (!stream) rows.push(...timeRows(panel, task, int));
  if (type.logic) return rows;
  if (features.cache && !stream) rows.push(panel.common({ name: 'isCache', type: 'switch', label: t('js.editor.field.cache'), help: t('js.editor.field.cache.help') }, task.isCache === 'YES', (v) => ({ isCache: v ? 'YES' : 'NO' })));
  if (features.limits) rows.push(h('div.two-col', null, int('cpuQuota', t('js.editor.field.cpu'), t('js.editor.unlimited'), -1), int('memoryMax', t('js.editor.field.memory'), t('js.editor.unlimited'), -1)));
  return rows;
}

/** When a task begins, and for how long it may run. @param {Panel} panel @param {Task} task @param {(name: string, label: string, help?: string, min?: number, off?: boolean) => any} int */
function timeRows(panel, task, int) {
  const rows = [int('delayTime', t('js.editor.field.delay'))];
  rows.push(panel.common({ name: 'timeoutFlag', type: 'switch', label: t('js.editor.field.timeout'), help: t('js.editor.field.timeout.help') }, task.timeoutFlag === 'OPEN', (v) => {
    queueMicrotask(() => panel.render());
    return v ? { timeoutFlag: 'OPEN', timeout: Number(task.timeout) || 30, timeoutNotifyStrategy: task.timeoutNotifyStrategy || 'WARN' } : { timeoutFlag: 'CLOSE' };
  }));
  if (task.timeoutFlag === 'OPEN') {
    rows.push(h('div.two-col', null,
      panel.common({ name: 'timeoutNotifyStrategy', type: 'select', label: t('js.editor.field.timeoutStrategy'), options: options([['WARN', t('js.editor.timeout.warn')], ['FAILED', t('js.editor.timeout.fail')], ['WARNFAILED', t('js.editor.timeout.both')]]) }, task.timeoutNotifyStrategy || 'WARN', (v) => ({ timeoutNotifyStrategy: v })),
      int('timeout', t('js.editor.field.timeoutMinutes'), '', 1)));
  }
  return rows;
}

/** Where a task runs; logic tasks run nowhere. @param {Panel} panel @param {Task} task @param {Node} priority @param {(name: string, label: string, help?: string, min?: number, off?: boolean) => any} int */
function placeRows(panel, task, priority, int) {
  const { editor } = panel;
  const { features, workerGroups } = editor.data;
  const groups = [...new Set([...(workerGroups ?? []), task.workerGroup].filter(Boolean))];
  const rows = [h('div.two-col', null, priority,
    panel.common({ name: 'workerGroup', type: 'select', label: t('js.editor.field.workerGroup'), options: groups.map((g) => ({ value: g, label: g })) }, task.workerGroup, (v) => {
      if (features.environments) queueMicrotask(() => panel.render()); // another group has other environments
      return { workerGroup: v };
    }))];
  if (features.environments) {
    const fit = (editor.data.environments ?? []).filter((e) => !e.workerGroups?.length || e.workerGroups.includes(task.workerGroup));
    rows.push(panel.common({ name: 'environmentCode', type: 'select', label: t('js.editor.field.environment'), help: t('js.editor.field.environment.help'), options: [{ value: '-1', label: t('js.editor.none') }, ...fit] }, Number(task.environmentCode ?? -1), (v) => ({ environmentCode: v })));
  }
  if (features.taskGroups && task.taskExecuteType !== 'STREAM') {
    rows.push(h('div.two-col', null,
      panel.common({ name: 'taskGroupId', type: 'select', label: t('js.editor.field.taskGroup'), options: [{ value: '0', label: t('js.editor.none') }, ...(editor.data.taskGroups ?? [])] }, Number(task.taskGroupId ?? 0), (v) => {
        queueMicrotask(() => panel.render());
        return { taskGroupId: v };
      }),
      int('taskGroupPriority', t('js.editor.field.taskGroupPriority'), '', 0, !Number(task.taskGroupId))));
  }
  return rows;
}
