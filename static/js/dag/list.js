// @ts-check
/**
 * The list view: the same document as a table. Every edit of the canvas can be done here, so it is the way for screen
 * readers and small screens, and for changing many tasks at once.
 */
import { t } from '../messages.js';
import { h, icon, iconButton } from './dom.js';
import { findTasks } from './search.js';
import { look } from './states.js';

const PAGE = 100;

export class List {
  page = 0;
  /** @param {import('./editor.js').DagEditor} editor */
  constructor(editor) {
    this.editor = editor;
    this.filter = h('input.input', { type: 'search', placeholder: t('js.editor.list.filter'), 'aria-label': t('js.editor.list.filter'), 'data-test': 'editor.list.filter', oninput: () => {
      this.page = 0;
      this.render();
    } });
    this.bar = h('div.dag-bulk', { role: 'toolbar', 'aria-label': t('js.editor.list.bulk'), hidden: true });
    this.body = h('tbody');
    this.foot = h('div.dag-list-foot');
    const head = ['', 'js.editor.field.name', 'js.editor.list.type', 'js.editor.list.upstream', 'js.editor.field.workerGroup', 'js.editor.field.priority', 'js.editor.list.retry', 'js.editor.list.run', ''];
    this.head = h('tr', null, ...head.map((k, i) => (i === 0 ? h('th', { scope: 'col' }, this.#all()) : h('th', { scope: 'col' }, k ? t(k) : h('span.vh', null, t('js.editor.list.actions'))))));
    this.el = h('div.dag-list', { 'data-test': 'editor.list', hidden: true },
      h('div.row.dag-list-head', null, h('div.search', null, icon('search'), this.filter), h('span.grow'), ...(editor.readOnly ? [] : [this.#adder()])),
      this.bar,
      h('div.dag-list-scroll', { tabindex: '0', role: 'region', 'aria-label': t('js.editor.list') }, h('table.table', null, h('caption.vh', null, t('js.editor.list')), h('thead', null, this.head), this.body)),
      this.foot);
    this.el.addEventListener('focusout', () => editor.model.seal());
  }
  get open() {
    return !this.el.hidden;
  }
  #all() {
    return h('input.check', { type: 'checkbox', 'aria-label': t('js.editor.key.selectAll'), 'data-test': 'editor.list.all', onchange: (/** @type {any} */ e) => {
      this.editor.view.select(e.target.checked ? this.#found() : []);
      this.render();
    } });
  }
  #adder() {
    const type = h('select.input', { 'aria-label': t('js.editor.list.type'), 'data-test': 'editor.list.newType' }, ...this.editor.types.all.map((x) => h('option', { value: x.type }, x.label)));
    return h('div.row', null, type, h('button.btn', { type: 'button', 'data-test': 'editor.list.add', onclick: async () => {
      const code = await this.editor.addTask(type.value);
      if (code === null) return;
      this.filter.value = '';
      this.page = Math.floor(this.#found().indexOf(code) / PAGE);
      this.render();
      /** @type {HTMLElement | null} */ (this.body.querySelector(`[data-code="${code}"] input[type="text"]`))?.focus();
    } }, icon('plus'), t('js.editor.add')));
  }
  #found() {
    const { model, types } = this.editor;
    const q = this.filter.value;
    if (!q.trim()) return this.editor.order();
    const hits = new Set(findTasks(model.tasks.values(), q, (x) => types.label(x), Infinity).map((x) => x.task.code));
    return this.editor.order().filter((c) => hits.has(c));
  }
  /** @param {import('./model.js').Patch} patch */
  changed(patch) {
    if (this.open && patch.origin !== 'list') this.render();
  }
  render() {
    if (!this.open) return;
    const focus = document.activeElement instanceof HTMLElement && this.body.contains(document.activeElement) ? document.activeElement.dataset.test : null;
    const all = this.#found();
    const pages = Math.max(1, Math.ceil(all.length / PAGE));
    this.page = Math.min(this.page, pages - 1);
    const part = all.slice(this.page * PAGE, (this.page + 1) * PAGE);
    this.body.replaceChildren(...part.map((c) => this.#row(c)));
    if (!all.length) this.body.replaceChildren(h('tr', null, h('td', { colspan: '9' }, h('p.hint.dag-empty', null, t(this.filter.value ? 'js.editor.search.none' : 'js.editor.list.empty')))));
    const go = (/** @type {number} */ d) => () => {
      this.page += d;
      this.render();
    };
    this.foot.replaceChildren(h('span', null, t('js.editor.list.count', { count: all.length })),
      ...(pages > 1 ? [iconButton(t('js.editor.list.back'), 'left', go(-1), { disabled: this.page === 0 }), h('span.num', null, `${this.page + 1} / ${pages}`), iconButton(t('js.editor.list.forth'), 'right', go(1), { disabled: this.page === pages - 1 })] : []));
    this.#renderBulk();
    if (focus) /** @type {HTMLElement | null} */ (this.body.querySelector(`[data-test="${CSS.escape(focus)}"]`))?.focus();
  }
  /** @param {number} code */
  #row(code) {
    const { editor } = this;
    const { model } = editor;
    const task = /** @type {import('./types.js').Task} */ (model.tasks.get(code));
    const type = editor.types.get(task.taskType);
    const ro = editor.readOnly;
    const set = (/** @type {Partial<import('./types.js').Task>} */ change, typing = false) => model.setTask(code, change, { origin: 'list', merge: typing ? `list:${code}` : undefined });
    const test = (/** @type {string} */ f) => `editor.list.${code}.${f}`;
    const cell = (/** @type {string} */ f, /** @type {string} */ key) => ({ 'aria-label': `${t(key)}: ${task.name}`, 'data-test': test(f), disabled: ro });
    const picked = (/** @type {HTMLSelectElement} */ el, /** @type {string} */ v) => {
      el.value = v;
      return el;
    };
    const problem = editor.problems.get(code);
    const problemText = problem ? editor.problemsOf(code).map((p) => p.message).join('; ') : '';
    const groups = [...new Set([...(editor.data.workerGroups ?? []), task.workerGroup].filter(Boolean))];
    const error = h('span.hint.error', { role: 'alert', hidden: true });
    const upstream = h('input.input', { ...cell('upstream', 'js.editor.list.upstream'), type: 'text', value: this.#names(code), placeholder: t('js.editor.list.upstream.hint'), onchange: (/** @type {any} */ e) => {
      const no = this.#setUpstream(code, e.target.value);
      error.textContent = no;
      error.hidden = !no;
      e.target.setAttribute('aria-invalid', String(!!no));
    } });
    const run = editor.states ? look(editor.states.get(code)?.state) : null;
    return h('tr', { 'data-code': String(code), 'data-name': task.name, 'aria-selected': String(editor.view.selected.has(code)) },
      h('td', null, h('input.check', { type: 'checkbox', 'aria-label': `${t('js.editor.list.select')}: ${task.name}`, checked: editor.view.selected.has(code), onchange: (/** @type {any} */ e) => {
        const next = new Set(editor.view.selected);
        if (e.target.checked) next.add(code);
        else next.delete(code);
        editor.view.select(next);
        e.target.closest('tr').setAttribute('aria-selected', String(e.target.checked));
        this.#renderBulk();
      } })),
      h('td', null, h('input.input', { ...cell('name', 'js.editor.field.name'), type: 'text', value: task.name, 'aria-invalid': editor.problemsOf(code).some((p) => p.field === 'name') ? 'true' : false, oninput: (/** @type {any} */ e) => set({ name: e.target.value }, true) })),
      h('td', { 'data-type': task.taskType, 'data-category': type.category }, h('span.row', null, h('span.ic', null, icon(type.icon)), type.label, run ? h('span.state', { 'data-state': run.kind }, icon(run.icon), t(run.label)) : null)),
      h('td', null, upstream, error),
      h('td', null, type.logic ? h('span.mut', null, '–') : picked(h('select.input', { ...cell('workerGroup', 'js.editor.field.workerGroup'), onchange: (/** @type {any} */ e) => set({ workerGroup: e.target.value }) }, ...groups.map((g) => h('option', { value: g }, g))), task.workerGroup)),
      h('td', null, picked(h('select.input', { ...cell('priority', 'js.editor.field.priority'), onchange: (/** @type {any} */ e) => set({ taskPriority: e.target.value }) }, ...editor.priorities().map((p) => h('option', { value: p.value }, p.label))), task.taskPriority || 'MEDIUM')),
      h('td', null, h('input.input.num', { ...cell('retry', 'js.editor.list.retry'), type: 'number', min: '0', value: String(task.failRetryTimes ?? 0), onchange: (/** @type {any} */ e) => set({ failRetryTimes: Math.max(0, Number(e.target.value) || 0) }) })),
      h('td', null, h('input.toggle', { ...cell('flag', 'js.editor.list.run'), type: 'checkbox', role: 'switch', checked: task.flag !== 'NO', onchange: (/** @type {any} */ e) => set({ flag: e.target.checked ? 'YES' : 'NO' }) })),
      h('td', null, h('span.row', null,
        problem ? h('span.dag-badge', { 'data-severity': problem, role: 'img', 'aria-label': problemText, title: problemText }, icon('warn')) : null,
        iconButton(`${t('js.editor.edit')}: ${task.name}`, 'edit', () => editor.openTask(code, { focus: true }), { 'data-test': test('edit') }),
        ro ? null : iconButton(`${t('js.editor.delete')}: ${task.name}`, 'trash', () => model.remove([code]), { 'data-test': test('delete') }))));
  }
  /** @param {number} code */
  #names(code) {
    return [...(this.editor.model.prev.get(code) ?? [])].map((c) => this.editor.model.tasks.get(c)?.name).join(', ');
  }
  /** @param {number} code @param {string} text @returns {string} what is wrong, or '' */
  #setUpstream(code, text) {
    const { model } = this.editor;
    const byName = new Map([...model.tasks.values()].map((x) => [x.name, x.code]));
    /** @type {number[]} */
    const want = [];
    for (const name of text.split(/[,，]/).map((s) => s.trim()).filter(Boolean)) {
      const c = byName.get(name);
      if (c === undefined) return t('js.editor.list.unknown', { name });
      want.push(c);
    }
    const no = model.setUpstream(code, want);
    return no ? this.editor.refusal(no) : '';
  }
  #renderBulk() {
    const { editor } = this;
    const chosen = [...editor.view.selected];
    this.bar.hidden = editor.readOnly || chosen.length < 1;
    const box = /** @type {HTMLInputElement} */ (this.head.querySelector('input'));
    box.checked = chosen.length > 0 && chosen.length === editor.model.tasks.size;
    box.indeterminate = chosen.length > 0 && !box.checked;
    if (this.bar.hidden) return;
    const apply = (/** @type {(v: string) => Partial<import('./types.js').Task>} */ to) => (/** @type {any} */ e) => {
      if (e.target.value === '') return;
      editor.model.setTasks(chosen.map((c) => [c, to(e.target.value)]));
    };
    const choice = (/** @type {string} */ label, /** @type {string} */ test, /** @type {{value: string, label: string}[]} */ options, /** @type {(v: string) => Partial<import('./types.js').Task>} */ to) =>
      h('select.input', { 'aria-label': label, 'data-test': `editor.bulk.${test}`, onchange: apply(to) }, h('option', { value: '' }, label), ...options.map((o) => h('option', { value: o.value }, o.label)));
    this.bar.replaceChildren(
      h('b', null, t('js.editor.selected', { count: chosen.length })),
      choice(t('js.editor.field.priority'), 'priority', editor.priorities(), (v) => ({ taskPriority: v })),
      choice(t('js.editor.field.workerGroup'), 'workerGroup', (editor.data.workerGroups ?? []).map((g) => ({ value: g, label: g })), (v) => ({ workerGroup: v })),
      choice(t('js.editor.list.retry'), 'retry', ['0', '1', '2', '3', '5'].map((v) => ({ value: v, label: v })), (v) => ({ failRetryTimes: Number(v) })),
      choice(t('js.editor.list.run'), 'flag', [{ value: 'YES', label: t('js.editor.enable') }, { value: 'NO', label: t('js.editor.disable') }], (v) => ({ flag: v })),
      h('span.grow'),
      h('button.btn.sm', { type: 'button', 'data-test': 'editor.bulk.delete', onclick: () => editor.model.remove(chosen) }, icon('trash'), t('js.editor.delete')));
  }
}
