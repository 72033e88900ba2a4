// @ts-check
/**
 * The settings of a task whose type this server does not understand, as JSON. What is typed goes into the document as
 * soon as it is an object; until then the last readable state stays.
 */
import { t } from '../messages.js';
import { fieldRow } from './fields.js';

/** @typedef {import('./types.js').Field} Field @typedef {import('./types.js').Task} Task */

/**
 * Reads settings as they are typed, null while they are no object. Parameters have a tab of their own.
 * @param {string} text @returns {Record<string, any> | null}
 */
export function readSettings(text) {
  try {
    const v = JSON.parse(text.trim() || '{}');
    if (typeof v !== 'object' || v === null || Array.isArray(v)) return null;
    delete v.localParams;
    return v;
  } catch {
    return null;
  }
}

/** @param {Record<string, any> | undefined} params */
export function writeSettings(params) {
  const { localParams: _, ...rest } = params ?? {};
  return JSON.stringify(rest, null, 2);
}

/** @param {import('./panel.js').Panel} panel @param {Task} task */
export function settings(panel, task) {
  const field = /** @type {Field} */ ({ name: 'taskParams', type: 'code', language: 'json', label: t('js.editor.settings'), help: t('js.editor.settings.help') });
  return fieldRow(field, {
    value: panel.unread?.code === task.code ? panel.unread.text : writeSettings(task.taskParams),
    readOnly: panel.editor.readOnly,
    change: (/** @type {string} */ text, typing) => {
      const read = readSettings(text);
      panel.unread = read ? null : { code: task.code, text };
      if (!read) return panel.problems();
      const { localParams } = panel.task?.taskParams ?? {};
      panel.put({ taskParams: localParams === undefined ? read : { localParams, ...read } }, 'taskParams', typing);
    },
  });
}
