// @ts-check
/**
 * What a DEPENDENT task waits for: groups of runs of other workflows, each with its dates, and what to do about a run
 * that failed.
 * @typedef {import('./fields.js').Control} Control
 */
import { t } from '../messages.js';
import { codeOf } from './branch.js';
import { combo } from './combo.js';
import { h } from './dom.js';
import { choice, groupList } from './logic-fields.js';

/** The workflow as a whole, and all of its tasks. */
const WHOLE = 0;
const ALL = -1;

/** @param {import('./types.js').Field} field @param {Control} c @param {string} test */
export function dependence(field, c, test) {
  const { editor } = c;
  if (!editor) throw new Error('this field needs the editor');
  let value = c.value ?? {};
  const send = (/** @type {any} */ v, typing = false) => {
    value = { relation: 'AND', checkInterval: 10, failurePolicy: 'DEPENDENT_FAILURE_FAILURE', failureWaitingTime: 1, ...value, ...v };
    c.change(value, typing);
  };
  const waiting = h('div.field', { hidden: value.failurePolicy !== 'DEPENDENT_FAILURE_WAITING' });
  const number = (/** @type {string} */ name, /** @type {string} */ label, /** @type {number} */ fallback) => {
    const id = `dep-${name}-${c.code}`;
    return [h('label', { for: id }, label), h('input.input.num', { id, type: 'text', inputmode: 'numeric', 'data-test': `${test}.${name}`, disabled: c.readOnly, value: String(value[name] ?? fallback),
      oninput: (/** @type {any} */ e) => send({ [name]: Number(e.target.value) || (e.target.value.trim() === '0' ? 0 : e.target.value) }, true) })];
  };
  waiting.append(...number('failureWaitingTime', t('js.editor.depend.waitMinutes'), 1));
  return h('div.dag-dependence', null,
    groupList(c, test, value, {
      label: field.label, add: t('js.editor.depend.addItem'), send: (v) => send({ relation: v.relation, dependTaskList: v.dependTaskList }),
      fresh: () => ({
        dependentType: 'DEPENDENT_ON_WORKFLOW', projectCode: editor.data.definition.projectCode ?? 0, definitionCode: 0, depTaskCode: WHOLE,
        cycle: 'day', dateValue: 'today', state: null, parameterPassing: false,
      }),
      row: (item, at, change, redraw) => itemForm(c, item, at, (next) => {
        change(next);
        redraw();
      }),
    }),
    h('div.field', null, h('span.lbl', null, t('js.editor.depend.onFailure')), choice(c, t('js.editor.depend.onFailure'), `${test}.failurePolicy`, value.failurePolicy ?? 'DEPENDENT_FAILURE_FAILURE', [
      ['DEPENDENT_FAILURE_FAILURE', t('js.editor.depend.fail')], ['DEPENDENT_FAILURE_WAITING', t('js.editor.depend.wait')],
    ], (failurePolicy) => {
      send({ failurePolicy });
      waiting.hidden = failurePolicy !== 'DEPENDENT_FAILURE_WAITING';
    })),
    waiting);
}

/** @param {Control} c @param {any} item @param {string} at @param {(item: any) => void} change */
function itemForm(c, item, at, change) {
  const editor = /** @type {import('./editor.js').DagEditor} */ (c.editor);
  const { lookup } = editor;
  const project = codeOf(item.projectCode);
  const workflow = codeOf(item.definitionCode);
  const task = Number(item.depTaskCode ?? WHOLE);
  const home = editor.data.definition.projectCode ?? 0;
  const base = { host: editor.overlay, disabled: c.readOnly };

  const projectEl = combo({
    ...base, test: `${at}.project`, label: t('js.editor.depend.project'), placeholder: t('js.editor.depend.project'), text: project ? `#${project}` : '',
    find: async (q) => filtered(await lookup.projects(), q).map((p) => ({ key: String(p.code), text: p.name, note: p.code === home ? t('js.editor.depend.here') : '', icon: 'folder' })),
    choose: (key) => Number(key) !== project && change({ ...item, projectCode: Number(key), definitionCode: 0, depTaskCode: WHOLE, dependentType: 'DEPENDENT_ON_WORKFLOW' }),
  });
  const workflowEl = combo({
    ...base, test: `${at}.workflow`, label: t('js.editor.depend.workflow'), placeholder: t('js.editor.logic.chooseWorkflow'), text: workflow ? `#${workflow}` : '',
    find: async (q) => (await lookup.workflows(project, q)).map((w) => ({ key: String(w.code), text: w.name, note: w.online ? '' : t('js.editor.logic.offlineShort'), icon: 'flow' })),
    choose: (key) => Number(key) !== workflow && change({ ...item, definitionCode: Number(key), depTaskCode: WHOLE, dependentType: 'DEPENDENT_ON_WORKFLOW' }),
  });
  const special = [{ code: WHOLE, name: t('js.editor.depend.whole') }, { code: ALL, name: t('js.editor.depend.allTasks') }];
  const taskEl = combo({
    ...base, disabled: c.readOnly || !workflow, test: `${at}.task`, label: t('js.editor.logic.task'), placeholder: t('js.editor.logic.chooseTask'),
    text: special.find((s) => s.code === task)?.name ?? `#${task}`,
    find: async (q) => filtered([...special, ...(await lookup.tasks(project, workflow))], q).map((x) => ({ key: String(x.code), text: x.name, icon: x.code > 0 ? 'tasks' : 'flow' })),
    choose: (key) => change({ ...item, depTaskCode: Number(key), dependentType: Number(key) === WHOLE ? 'DEPENDENT_ON_WORKFLOW' : 'DEPENDENT_ON_TASK' }),
  });
  void name();

  const cycles = editor.data.dateCycles ?? [];
  const cycle = cycles.find((x) => x.value === item.cycle) ?? cycles.find((x) => x.dates.some((d) => d.value === item.dateValue));
  const pass = h('input.toggle', { type: 'checkbox', role: 'switch', id: `${at}-pass`, checked: item.parameterPassing === true || item.parameterPassing === 'true', disabled: c.readOnly, 'data-test': `${at}.passing`,
    onchange: (/** @type {any} */ e) => change({ ...item, parameterPassing: e.target.checked }) });
  return h('div.dag-item', null, workflowEl,
    h('div.two-col', null, projectEl, taskEl),
    h('div.two-col', null,
      choice(c, t('js.editor.depend.cycle.label'), `${at}.cycle`, cycle?.value ?? String(item.cycle ?? ''), cycles.map((x) => [x.value, x.label]), (v) => change({ ...item, cycle: v, dateValue: cycles.find((x) => x.value === v)?.dates[0]?.value })),
      choice(c, t('js.editor.depend.date'), `${at}.date`, String(item.dateValue ?? ''), (cycle?.dates ?? []).map((d) => [d.value, d.label]), (v) => change({ ...item, dateValue: v }))),
    h('div.field.switch-row', null, h('label', { for: `${at}-pass` }, t('js.editor.depend.passing')), pass));

  async function name() {
    if (project) {
      const found = (await lookup.projects()).find((p) => p.code === project);
      if (found) projectEl.say(found.name);
    }
    if (!workflow) return;
    const found = await lookup.workflow(project, workflow);
    workflowEl.say(found?.name ?? t('js.editor.logic.gone', { code: workflow }), !found && !!editor.data.urls.workflows);
    if (task <= 0) return;
    const step = (await lookup.tasks(project, workflow)).find((x) => x.code === task);
    taskEl.say(step?.name ?? t('js.editor.logic.gone', { code: task }), !step && !!editor.data.urls.tasks);
  }
}

/** @template {{name: string}} T @param {T[]} list @param {string} q @returns {T[]} */
function filtered(list, q) {
  const text = q.trim().toLowerCase();
  return list.filter((x) => x.name.toLowerCase().includes(text)).slice(0, 100);
}
