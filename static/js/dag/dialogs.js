// @ts-check
/** The dialogs of the editor, each a real <dialog> that answers a promise. */
import { t } from '../messages.js';
import { h, icon, uid } from './dom.js';
import { fieldRow, params as paramRows, setProblem } from './fields.js';
import { SHORTCUTS } from './keys.js';
import { previewBox } from './preview.js';

/**
 * Open a dialog. `actions` are its buttons; the promise answers the value of the one pressed, or null for Esc and ✕.
 * @param {HTMLElement} host @param {string} title @param {(Node | null)[]} content
 * @param {{label: string, value: string, primary?: boolean, test: string, check?: () => boolean}[]} actions
 * @param {{wide?: boolean, test?: string}} [opt]
 * @returns {Promise<string | null>}
 */
export function dialog(host, title, content, actions, opt = {}) {
  const id = uid('dlg');
  /** @type {(v: string | null) => void} */
  let answer = () => {};
  const done = new Promise((resolve) => (answer = resolve));
  const el = h(opt.wide ? 'dialog.dialog.dag-dialog.wide' : 'dialog.dialog.dag-dialog', { 'aria-labelledby': id, 'data-test': opt.test ?? false });
  const close = (/** @type {string | null} */ v) => {
    answer(v);
    el.close();
    el.remove();
  };
  const press = (/** @type {typeof actions[0]} */ a) => {
    if (!a.check || a.check()) close(a.value);
  };
  const first = actions.find((a) => a.primary);
  const form = h('form', { method: 'dialog', novalidate: true, onsubmit: (/** @type {Event} */ e) => {
    e.preventDefault();
    if (first) press(first);
  } },
    h('header.row', null, h('h2.grow', { id }, title), h('button.btn.ghost.icon.sm', { type: 'button', 'aria-label': t('js.editor.close'), onclick: () => close(null) }, icon('x'))),
    h('div.dag-dialog-body', null, ...content),
    h('footer.row', null, h('span.grow'), ...actions.map((a) =>
      h(a.primary ? 'button.btn.primary' : 'button.btn', { type: a === first ? 'submit' : 'button', 'data-test': a.test, onclick: a === first ? null : () => press(a) }, a.label))));
  el.append(form);
  el.addEventListener('cancel', (/** @type {Event} */ e) => {
    e.preventDefault();
    close(null);
  });
  host.append(el);
  el.showModal();
  const field = /** @type {HTMLElement | null} */ (el.querySelector('.dag-dialog-body input, .dag-dialog-body textarea, .dag-dialog-body select'));
  (field ?? /** @type {HTMLElement | null} */ (el.querySelector('footer button.primary')))?.focus();
  return done;
}

/** @param {HTMLElement} host @param {string} title @param {string} text @param {{label: string, value: string, primary?: boolean, test: string}[]} actions */
export const ask = (host, title, text, actions) => dialog(host, title, [h('p', null, text)], actions, { test: 'editor.ask' });

/**
 * Name, description and settings of the workflow, with a message for the version.
 * @param {import('./editor.js').DagEditor} editor @param {boolean} online
 * @returns {Promise<{message: string, online: boolean, name: string, description: string, timeout: number, executionType: string} | null>}
 */
export async function saveDialog(editor, online) {
  const m = editor.model.meta;
  const values = { name: m.name, description: m.description, timeout: m.timeout, executionType: m.executionType, message: '', online };
  const row = (/** @type {any} */ field, /** @type {any} */ value, /** @type {(v: any) => void} */ change) => fieldRow(field, { value, readOnly: false, change });
  const name = row({ name: 'workflowName', type: 'text', label: t('js.editor.save.name'), required: true }, m.name, (v) => (values.name = v));
  const minutes = row({ name: 'workflowTimeout', type: 'number', label: t('js.editor.field.timeoutMinutes'), min: 1 }, m.timeout || 60, (v) => (values.timeout = Number(v) || 0));
  minutes.hidden = !m.timeout;
  const body = [
    name,
    row({ name: 'workflowDescription', type: 'textarea', label: t('js.editor.field.description') }, m.description, (v) => (values.description = v)),
    row({ name: 'versionMessage', type: 'text', label: t('js.editor.save.message'), help: t('js.editor.save.message.help') }, '', (v) => (values.message = v)),
    row({ name: 'executionType', type: 'select', label: t('js.editor.save.execution'), help: t('js.editor.save.execution.help'), options: [
      { value: 'PARALLEL', label: t('js.editor.execution.parallel') }, { value: 'SERIAL_WAIT', label: t('js.editor.execution.wait') },
      { value: 'SERIAL_DISCARD', label: t('js.editor.execution.discard') }, { value: 'SERIAL_PRIORITY', label: t('js.editor.execution.priority') },
    ] }, m.executionType, (v) => (values.executionType = v)),
    row({ name: 'workflowTimeoutFlag', type: 'switch', label: t('js.editor.field.timeout'), help: t('js.editor.save.timeout.help') }, m.timeout > 0, (v) => {
      minutes.hidden = !v;
      values.timeout = v ? Number(minutes.querySelector('input')?.value) || 60 : 0;
    }),
    minutes,
    row({ name: 'online', type: 'switch', label: t('js.editor.save.online') }, online, (v) => (values.online = v)),
  ];
  const errors = editor.problemList.filter((p) => p.severity === 'error').length;
  if (errors) body.unshift(h('div.note', { role: 'note' }, icon('warn'), h('span', null, t('js.editor.save.problems', { count: errors }))));
  const done = await dialog(editor.overlay, t('js.editor.save.title'), body, [
    { label: t('js.editor.cancel'), value: '', test: 'save.cancel' },
    { label: t('js.editor.save'), value: 'save', primary: true, test: 'save.confirm', check: () => {
      const bad = values.name.trim() ? '' : t('js.editor.problem.required', { field: t('js.editor.save.name') });
      setProblem(name, bad);
      if (bad) name.querySelector('input')?.focus();
      return !bad;
    } },
  ], { test: 'editor.saveDialog' });
  return done ? { ...values, name: values.name.trim() } : null;
}

/** Global parameters. @param {import('./editor.js').DagEditor} editor */
export async function variablesDialog(editor) {
  let list = editor.model.meta.globalParams;
  const done = await dialog(editor.overlay, t('js.editor.variables'), [
    h('p.hint', null, t('js.editor.variables.help')),
    paramRows({ value: list, readOnly: editor.readOnly, change: (v) => (list = v) }, 'field.globalParams'),
    editor.data.urls.preview ? previewBox(editor, 0, () => list) : null,
  ], editor.readOnly ? [{ label: t('js.editor.close'), value: '', primary: true, test: 'variables.close' }] : [
    { label: t('js.editor.cancel'), value: '', test: 'variables.cancel' },
    { label: t('js.editor.apply'), value: 'ok', primary: true, test: 'variables.confirm' },
  ], { wide: true, test: 'editor.variablesDialog' });
  if (done) editor.model.setMeta({ globalParams: list });
}

/** @param {HTMLElement} host */
export const shortcutsDialog = (host) =>
  dialog(host, t('js.editor.shortcuts'), [h('dl.dag-keys', null, ...SHORTCUTS.flatMap(([keys, text]) => [h('dt', null, ...keys.split(' ').map((k) => (k ? h('kbd', null, k) : null))), h('dd', null, t(text))]))],
    [{ label: t('js.editor.close'), value: '', primary: true, test: 'shortcuts.close' }], { test: 'editor.shortcutsDialog' });

/** Ask for one text. @param {HTMLElement} host @param {string} title @param {string} label @param {string} value @returns {Promise<string | null>} */
export async function prompt(host, title, label, value) {
  let text = value;
  const done = await dialog(host, title, [fieldRow({ name: 'text', type: 'text', label }, { value, readOnly: false, change: (v) => (text = v) })], [
    { label: t('js.editor.cancel'), value: '', test: 'prompt.cancel' },
    { label: t('js.editor.apply'), value: 'ok', primary: true, test: 'prompt.confirm' },
  ], { test: 'editor.prompt' });
  return done ? text : null;
}
