// @ts-check
/**
 * Controls for tasks that look at other tasks or start other workflows: branches, conditions over earlier tasks,
 * expressions with their targets, and the workflow to run. Each holds a copy of its value, draws itself anew after a
 * choice, and reports the JSON that the server stores.
 * @typedef {import('./fields.js').Control} Control
 * @typedef {import('./editor.js').DagEditor} DagEditor
 */
import { t } from '../messages.js';
import { codeOf } from './branch.js';
import { combo } from './combo.js';
import { h, icon, iconButton } from './dom.js';
import { findTasks } from './search.js';

/** @param {Control} c @returns {{editor: DagEditor, code: number}} */
const around = (c) => {
  if (!c.editor || c.code === undefined) throw new Error('this field needs to know its task');
  return { editor: c.editor, code: c.code };
};

/** @param {Control} c @param {string} what @param {number} n */
export const removeButton = (c, what, n, /** @type {() => void} */ run, test = '') =>
  c.readOnly ? null : iconButton(t(what, { n }), 'x', run, test ? { 'data-test': test } : {});

/** @param {string} text @param {string} test @param {() => void} run */
export const addButton = (text, test, run) => h('button.btn.sm.ghost', { type: 'button', 'data-test': test, onclick: run }, icon('plus'), text);

/** A select that is drawn small. @param {Control} c @param {string} label @param {string} test @param {string} value @param {[string, string][]} options @param {(v: string) => void} change */
export function choice(c, label, test, value, options, change) {
  const known = options.some(([v]) => v === value);
  const el = h('select.input', { 'aria-label': label, 'data-test': test, disabled: c.readOnly, onchange: (/** @type {any} */ e) => change(e.target.value) },
    ...(known ? options : [[value, value], ...options]).map(([v, text]) => h('option', { value: v }, text)));
  el.value = value;
  return el;
}

/** All of, any of. @param {Control} c @param {string} test @param {string} value @param {(v: string) => void} change */
export const relation = (c, test, value, change) =>
  choice(c, t('js.editor.logic.relation'), test, value === 'OR' ? 'OR' : 'AND', [['AND', t('js.editor.logic.all')], ['OR', t('js.editor.logic.any')]], change);

/**
 * A task of this workflow.
 * @param {Control} c @param {{test: string, label: string, value: number, offers: (code: number) => boolean, change: (code: number) => void, none?: string}} opt
 */
function taskPick(c, opt) {
  const { editor } = around(c);
  const name = editor.model.tasks.get(opt.value)?.name;
  return combo({
    host: editor.overlay, test: opt.test, label: opt.label, placeholder: t('js.editor.logic.chooseTask'), disabled: c.readOnly,
    text: opt.value ? (name ?? t('js.editor.logic.gone', { code: opt.value })) : '', missing: !!opt.value && name === undefined,
    find: (q) => {
      const tasks = [...editor.model.tasks.values()].filter((x) => opt.offers(x.code));
      const hits = q.trim() ? findTasks(tasks, q, (x) => editor.types.label(x)).map((x) => x.task) : tasks;
      return hits.slice(0, 80).map((x) => ({ key: String(x.code), text: x.name, note: editor.types.label(x.taskType), icon: editor.types.get(x.taskType).icon, type: x.taskType }));
    },
    choose: (key) => opt.change(Number(key)),
  });
}

/** The tasks that may follow: those that are after the task already, first, and those that could be. @param {Control} c */
function mayFollow(c) {
  const { editor, code } = around(c);
  const next = editor.model.next.get(code) ?? new Set();
  return (/** @type {number} */ other) => next.has(other) || !editor.model.cannotConnect(code, other);
}

/** Which tasks follow a good and a bad end. @param {import('./types.js').Field} field @param {Control} c @param {string} test */
export function outcomes(field, c, test) {
  const value = { successNode: [], failedNode: [], ...(c.value ?? {}) };
  const el = h('div.dag-branches', { 'data-test': test, role: 'group', 'aria-label': field.label });
  const lists = { successNode: list(value.successNode), failedNode: list(value.failedNode) };
  const send = () => {
    c.change({ ...value, successNode: lists.successNode.filter(Boolean), failedNode: lists.failedNode.filter(Boolean) }, false);
    render();
  };
  const part = (/** @type {'successNode' | 'failedNode'} */ key, /** @type {string} */ kind, /** @type {string} */ label, /** @type {string} */ iconName) => {
    const codes = lists[key].length ? lists[key] : [0];
    const taken = new Set([...lists.successNode, ...lists.failedNode]);
    const free = mayFollow(c);
    return h('div.dag-branch', { 'data-branch': kind },
      h('span.dag-branch-mark', null, icon(iconName), label),
      ...codes.map((code, i) => h('div.dag-branch-row', null,
        taskPick(c, { test: `${test}.${kind}.${i}`, label: `${label} ${i + 1}`, value: code, offers: (x) => x !== code && !taken.has(x) && free(x), change: (to) => {
          if (lists[key].length) lists[key][i] = to;
          else lists[key] = [to];
          send();
        } }),
        code ? removeButton(c, 'js.editor.row.remove', i + 1, () => {
          lists[key] = lists[key].filter((_, k) => k !== i);
          send();
        }) : null)),
      c.readOnly || !lists[key].length ? null : addButton(t('js.editor.logic.addTask'), `${test}.${kind}.add`, () => {
        lists[key] = [...lists[key], 0];
        render();
      }));
  };
  const render = () => el.replaceChildren(
    part('successNode', 'success', t('js.editor.branch.success'), 'circle-check'), part('failedNode', 'failed', t('js.editor.branch.failed'), 'circle-x'));
  render();
  return el;
  function list(/** @type {any} */ v) {
    return (Array.isArray(v) ? v : []).map(codeOf).filter(Boolean);
  }
}

/**
 * Groups of rows, joined by AND or OR within and between.
 * @param {Control} c @param {string} test @param {any} value {relation, dependTaskList: [{relation, dependItemList}]}
 * @param {{row(item: any, at: string, change: (item: any) => void, redraw: () => void): Node, fresh: () => any, label: string, add: string, send: (value: any) => void}} opt
 */
export function groupList(c, test, value, opt) {
  let v = { relation: 'AND', ...(value ?? {}) };
  /** @type {{relation: string, dependItemList: any[]}[]} */
  let groups = (Array.isArray(v.dependTaskList) ? v.dependTaskList : []).map((/** @type {any} */ g) => ({ ...g, relation: g?.relation === 'OR' ? 'OR' : 'AND', dependItemList: [...(g?.dependItemList ?? [])] }));
  if (!groups.length) groups = [{ relation: 'AND', dependItemList: [] }];
  const el = h('div.dag-groups', { 'data-test': test, role: 'group', 'aria-label': opt.label });
  const send = (draw = true) => {
    opt.send({ ...v, dependTaskList: groups.filter((g) => g.dependItemList.length).map((g) => ({ ...g, dependItemList: [...g.dependItemList] })) });
    if (draw) render();
  };
  const groupOf = (/** @type {typeof groups[0]} */ g, /** @type {number} */ i) => h('div.dag-group', { role: 'group', 'aria-label': t('js.editor.logic.group', { n: i + 1 }) },
    g.dependItemList.length > 1 || groups.length > 1 ? h('div.row', null,
      h('span.grow.mut', null, groups.length > 1 ? t('js.editor.logic.group', { n: i + 1 }) : ''),
      g.dependItemList.length > 1 ? h('span.dag-relation', null, relation(c, `${test}.${i}.relation`, g.relation, (r) => {
        g.relation = r;
        send();
      })) : null,
      groups.length > 1 ? removeButton(c, 'js.editor.logic.removeGroup', i + 1, () => {
        groups = groups.filter((_, k) => k !== i);
        send();
      }) : null) : null,
    ...g.dependItemList.map((item, k) => {
      const row = h('div.dag-group-row', null, opt.row(item, `${test}.${i}.${k}`, (next) => {
        g.dependItemList[k] = next;
        send(false);
      }, render), removeButton(c, 'js.editor.row.remove', k + 1, () => {
        g.dependItemList = g.dependItemList.filter((_, n) => n !== k);
        send();
      }, `${test}.${i}.${k}.remove`));
      return row;
    }),
    c.readOnly ? null : addButton(opt.add, `${test}.${i}.add`, () => {
      g.dependItemList = [...g.dependItemList, opt.fresh()];
      send();
    }));
  const render = () => el.replaceChildren(
    ...(groups.length > 1 ? [h('div.row', null, h('span.grow.mut', null, t('js.editor.logic.between')), h('span.dag-relation', null, relation(c, `${test}.relation`, v.relation, (r) => {
      v = { ...v, relation: r };
      send();
    })))] : []),
    ...groups.map(groupOf),
    ...(c.readOnly || !groups[groups.length - 1]?.dependItemList.length ? [] : [addButton(t('js.editor.logic.addGroup'), `${test}.addGroup`, () => {
      groups = [...groups, { relation: 'AND', dependItemList: [] }];
      render();
    })]));
  render();
  return el;
}

/** Wishes about the ends of earlier tasks. @param {import('./types.js').Field} field @param {Control} c @param {string} test */
export function conditions(field, c, test) {
  const { editor, code } = around(c);
  const before = () => editor.model.prev.get(code) ?? new Set();
  let now = c.value;
  return groupList(c, test, c.value, {
    label: field.label, add: t('js.editor.logic.addTask'), send: (v) => c.change((now = v), false),
    fresh: () => {
      const named = new Set((now?.dependTaskList ?? []).flatMap((/** @type {any} */ g) => (g.dependItemList ?? []).map((/** @type {any} */ x) => codeOf(x.depTaskCode))));
      return { depTaskCode: [...before()].find((p) => !named.has(p)) ?? [...before()][0] ?? 0, status: 'SUCCESS' };
    },
    row: (item, at, change, redraw) => h('div.two-col.wide-first', null,
      taskPick(c, { test: `${at}.task`, label: t('js.editor.logic.task'), value: codeOf(item.depTaskCode), offers: (x) => before().has(x), change: (to) => {
        change({ ...item, depTaskCode: to });
        redraw();
      } }),
      choice(c, t('js.editor.logic.status'), `${at}.status`, item.status ?? 'SUCCESS', [['SUCCESS', t('js.editor.logic.succeeded')], ['FAILURE', t('js.editor.logic.failed')]], (status) => {
        change({ ...item, status });
        redraw();
      })),
  });
}

/** Expressions with the task each leads to, and the one for the rest. @param {import('./types.js').Field} field @param {Control} c @param {string} test */
export function cases(field, c, test) {
  const value = c.value ?? {};
  /** @type {any[]} */
  let list = (Array.isArray(value.dependTaskList) ? value.dependTaskList : []).map((/** @type {any} */ r) => ({ ...r }));
  let rest = codeOf(value.nextNode);
  const el = h('div.dag-branches', { 'data-test': test, role: 'group', 'aria-label': field.label });
  const send = (typing = false, draw = true) => {
    c.change({ ...value, dependTaskList: list.map((r) => ({ ...r })), nextNode: rest || null }, typing);
    if (draw) render();
  };
  const move = (/** @type {number} */ i) => {
    [list[i - 1], list[i]] = [list[i], list[i - 1]];
    send();
  };
  const render = () => {
    const free = mayFollow(c);
    el.replaceChildren(
      ...list.map((row, i) => h('div.dag-branch', { 'data-branch': 'case' },
        h('div.row', null, h('span.dag-branch-mark.grow', null, t(i ? 'js.editor.logic.elseIf' : 'js.editor.logic.if')),
          i && !c.readOnly ? iconButton(t('js.editor.logic.up', { n: i + 1 }), 'up', () => move(i), { 'data-test': `${test}.${i}.up` }) : null,
          removeButton(c, 'js.editor.row.remove', i + 1, () => {
            list = list.filter((_, k) => k !== i);
            send();
          }, `${test}.${i}.remove`)),
        h('textarea.input.mono', {
          rows: '2', spellcheck: 'false', 'aria-label': t('js.editor.logic.condition', { n: i + 1 }), 'data-test': `${test}.${i}.condition`, placeholder: "${rows} > 0 && ${city} == 'Berlin'",
          disabled: c.readOnly, value: String(row.condition ?? ''), oninput: (/** @type {any} */ e) => {
            row.condition = e.target.value;
            send(true, false);
          },
        }),
        h('div.dag-branch-row', null, h('span.mut', null, t('js.editor.logic.goTo')),
          taskPick(c, { test: `${test}.${i}.next`, label: t('js.editor.logic.target', { n: i + 1 }), value: codeOf(row.nextNode), offers: free, change: (to) => {
            row.nextNode = to;
            send();
          } })))),
      c.readOnly ? '' : addButton(t('js.editor.logic.addCase'), `${test}.add`, () => {
        list = [...list, { condition: '', nextNode: null }];
        send();
        /** @type {HTMLElement | null} */ (el.querySelector(`[data-test="${test}.${list.length - 1}.condition"]`))?.focus();
      }),
      h('div.dag-branch', { 'data-branch': 'default' }, h('span.dag-branch-mark', null, t('js.editor.logic.otherwise')),
        h('div.dag-branch-row', null, h('span.mut', null, t('js.editor.logic.goTo')),
          taskPick(c, { test: `${test}.default`, label: t('js.editor.logic.otherwise'), value: rest, offers: free, change: (to) => {
            rest = to;
            send();
          } }))));
  };
  render();
  return el;
}

/** The workflow that a task starts. @param {import('./types.js').Field} field @param {Control} c @param {string} test @param {string} id */
export function workflowPick(field, c, test, id) {
  const { editor } = around(c);
  const project = editor.data.definition.projectCode ?? 0;
  const own = editor.data.definition.code;
  const link = h('a.link', { target: '_blank', rel: 'noopener', hidden: true, 'data-test': `${test}.open` }, t('js.editor.logic.openChild'));
  const note = h('span.mut', { hidden: true }, t('js.editor.logic.offline'));
  let code = codeOf(c.value);
  const el = combo({
    host: editor.overlay, id, test, label: field.label, placeholder: t('js.editor.logic.chooseWorkflow'), disabled: c.readOnly, text: code ? `#${code}` : '',
    find: async (q) => (await editor.lookup.workflows(project, q)).filter((w) => w.code !== own).map((w) => ({
      key: String(w.code), text: w.name, note: w.online ? '' : t('js.editor.logic.offlineShort'), icon: 'flow',
    })),
    choose: (key) => {
      code = Number(key);
      c.change(code, false);
      void name();
    },
  });
  const name = async () => {
    const mine = code;
    const found = await editor.lookup.workflow(project, mine);
    if (mine !== code || !code) return;
    el.say(found?.name ?? t('js.editor.logic.gone', { code }), !found && !!editor.data.urls.workflows);
    link.hidden = !found?.url;
    if (found?.url) link.href = found.url;
    note.hidden = found?.online !== false;
  };
  void name();
  return h('div.dag-child', null, el, h('div.row', null, link, note));
}
