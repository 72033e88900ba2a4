// @ts-check
/**
 * The inspector: the form of the selected task, docked at the right. Edits go straight into the document (typing in one
 * field is one undo step); there is nothing to apply or cancel.
 */
import { t } from '../messages.js';
import { parameterNames } from './check.js';
import { h, icon, iconButton, uid } from './dom.js';
import { fieldRow, params as paramRows, setProblem } from './fields.js';
import { runTab } from './panel-run.js';
import { settings } from './panel-settings.js';
import { mayStream, openStream } from './publish.js';
import { previewBox } from './preview.js';
import { offering, problem as fieldProblem, tidy, valueOf, visible, withValue } from './schema.js';
import { look, ran } from './states.js';

/** @typedef {import('./types.js').Task} Task @typedef {import('./types.js').Field} Field */
/** @typedef {'task' | 'run' | 'params' | 'depend'} Tab */

/** @type {[Tab, string][]} */
const TABS = [
  ['task', 'js.editor.tab.task'],
  ['run', 'js.editor.tab.run'],
  ['params', 'js.editor.tab.params'],
  ['depend', 'js.editor.tab.depend'],
];
/** Which tab holds a common field. @type {Record<string, Tab>} */
const TAB_OF = {
  name: 'task', description: 'task', flag: 'run', taskPriority: 'run', workerGroup: 'run', environmentCode: 'run', taskGroupId: 'run', taskGroupPriority: 'run',
  failRetryTimes: 'run', failRetryInterval: 'run', delayTime: 'run', timeout: 'run', timeoutFlag: 'run', timeoutNotifyStrategy: 'run', isCache: 'run', finally: 'run',
  cpuQuota: 'run', memoryMax: 'run', localParams: 'params', preTasks: 'depend',
};
/** @type {Record<string, string>} */
const KNOWN = { upstream: 'js.editor.param.upstream', global: 'js.editor.param.global', project: 'js.editor.param.project' };
const WIDTH = 'dorado.editor.panel';
const ORIGIN = 'panel';

/** When this changes the form is drawn anew: which fields there are, and what the choices of some depend on. @param {Field[]} fields @param {import('./types.js').TaskParams} params */
const shape = (fields, params) => fields.map((f) => {
  if (f.options?.some((o) => o.when)) return `${f.name}:${offering(f, params).options?.map((o) => o.value)}`;
  return f.of ? `${f.name}=${params[f.of] ?? ''}` : f.name;
}).join();

export class Panel {
  /** @type {number | null} */ code = null;
  /** @type {Tab} */ tab = 'task';
  /** Settings that are no JSON object as they are typed. @type {{code: number, text: string} | null} */ unread = null;

  /** @param {import('./editor.js').DagEditor} editor */
  constructor(editor) {
    this.editor = editor;
    this.grip = h('div.dag-grip', { role: 'separator', 'aria-orientation': 'vertical', 'aria-label': t('js.editor.panel.resize'), tabindex: '0', 'aria-valuemin': '300', 'aria-valuemax': '900', 'aria-valuenow': '372' });
    this.head = h('div.dag-panel-head');
    this.body = h('div.scroll');
    this.el = h('section.panel.right', { 'aria-label': t('js.editor.panel'), 'data-test': 'editor.panel', hidden: true }, this.grip, this.head, this.body);
    this.el.addEventListener('keydown', (/** @type {KeyboardEvent} */ e) => {
      if (e.key === 'Escape' || (e.key === 'Enter' && (e.ctrlKey || e.metaKey))) {
        if (e.defaultPrevented) return;
        e.preventDefault();
        editor.closePanel();
      }
    });
    // Leaving a field ends its undo step.
    this.el.addEventListener('focusout', () => editor.model.seal());
    this.#resizable();
  }

  get open() {
    return !this.el.hidden;
  }
  /** @param {number | null} code @param {{field?: string, focus?: boolean}} [opt] */
  show(code, opt = {}) {
    const other = code !== this.code;
    this.code = code;
    if (code === null || !this.editor.model.tasks.has(code)) {
      this.el.hidden = true;
      this.code = null;
      this.editor.view.forgetBox();
      return;
    }
    if (opt.field) this.tab = TAB_OF[opt.field] ?? 'task';
    this.el.hidden = false;
    this.render();
    if (other) this.body.scrollTop = 0;
    if (opt.field) this.#focus(opt.field);
    else if (opt.focus) this.#focus('name');
  }
  /** @param {string} field */
  #focus(field) {
    const row = /** @type {HTMLElement | null} */ (this.body.querySelector(`[data-field="${CSS.escape(field)}"]`));
    row?.closest('details')?.setAttribute('open', '');
    row?.scrollIntoView({ block: 'nearest' });
    const code = /** @type {any} */ (row?.querySelector('code-field'));
    if (code?.focusEditor) code.focusEditor();
    else /** @type {HTMLElement | null} */ (row?.querySelector('input, select, textarea, button'))?.focus();
  }
  /** The document changed elsewhere (undo, list, paste). @param {import('./model.js').Patch} patch */
  changed(patch) {
    if (!this.open || this.code === null) return;
    if (!this.editor.model.tasks.has(this.code)) return this.show(null);
    if (patch.origin === ORIGIN) return this.#after();
    const mine = patch.tasks?.some(([c]) => c === this.code) || patch.edges?.some(([, b, a]) => [b, a].some((e) => e && (e.preTaskCode === this.code || e.postTaskCode === this.code)));
    if (mine) this.render();
  }
  /** What an own edit changes outside its field: title, what is visible, messages. */
  #after() {
    const task = this.task;
    if (!task) return;
    const title = this.head.querySelector('h2');
    if (title) title.textContent = task.name || t('js.editor.unnamed');
    const fields = this.editor.types.get(task.taskType).fields;
    const shown = shape(fields.filter((f) => f.name !== 'localParams' && !f.sameAs && visible(f, task.taskParams)), task.taskParams);
    if (this.tab === 'task' && shown !== this.shown) this.render();
    else this.problems();
  }
  get task() {
    return this.code === null ? undefined : this.editor.model.tasks.get(this.code);
  }

  render() {
    const task = this.task;
    if (!task) return;
    const active = /** @type {HTMLElement | null} */ (this.el.contains(document.activeElement) ? document.activeElement : null);
    const focus = active?.closest('[data-test]')?.getAttribute('data-test');
    const scroll = this.body.scrollTop;
    this.#renderHead(task);
    const make = { task: () => this.#taskTab(task), run: () => runTab(this, task), params: () => this.#paramsTab(task), depend: () => this.#dependTab(task) };
    const form = h('form.form', { onsubmit: (/** @type {Event} */ e) => e.preventDefault() }, ...make[this.tab]());
    this.body.replaceChildren(h('div', { role: 'tabpanel', 'aria-label': t(TABS.find(([k]) => k === this.tab)?.[1] ?? '') }, form));
    this.body.scrollTop = scroll;
    if (focus) /** @type {HTMLElement | null} */ (this.el.querySelector(`[data-test="${CSS.escape(focus)}"]`))?.focus();
    this.problems();
  }

  /** @param {Task} task */
  #renderHead(task) {
    const { editor } = this;
    const type = editor.types.get(task.taskType);
    const before = editor.model.prev.get(task.code)?.size ?? 0;
    const after = editor.model.next.get(task.code)?.size ?? 0;
    const count = task.taskParams?.localParams?.length ?? 0;
    const order = editor.order();
    const i = order.indexOf(task.code);
    const step = (/** @type {number} */ d) => () => editor.selectTask(order[(i + d + order.length) % order.length]);
    this.head.replaceChildren(
      h('div.row', { 'data-type': task.taskType, 'data-category': type.category },
        h('span.ic', null, icon(type.icon)),
        h('span.grow.two', null, h('h2', null, task.name || t('js.editor.unnamed')), h('span.mut', null, t('js.editor.panel.about', { type: type.label, before, after }))),
        iconButton(t('js.editor.panel.previous'), 'up', step(-1)),
        iconButton(t('js.editor.panel.next'), 'down', step(1)),
        task.taskExecuteType === 'STREAM' && mayStream(editor) ? iconButton(t('js.editor.run.stream'), 'play', () => openStream(editor, task.code), { 'data-test': 'editor.panel.stream' }) : null,
        editor.readOnly ? null : iconButton(t('js.editor.duplicate'), 'copy', () => void editor.run('duplicate'), { 'data-test': 'editor.panel.duplicate' }),
        iconButton(t('js.editor.close.panel'), 'x', () => editor.closePanel(), { 'data-test': 'editor.panel.close' })),
      h('div.tabs', { role: 'tablist', 'aria-label': t('js.editor.panel'), onkeydown: (/** @type {KeyboardEvent} */ e) => this.#tabKeys(e) },
        ...TABS.map(([key, label]) => h('button', {
          type: 'button', role: 'tab', 'aria-selected': String(this.tab === key), tabindex: this.tab === key ? '0' : '-1', 'data-test': `editor.tab.${key}`,
          onclick: () => {
            this.tab = key;
            this.render();
          },
        }, t(label), key === 'params' && count ? h('span.pill.num', null, String(count)) : null))));
  }
  /** @param {KeyboardEvent} e */
  #tabKeys(e) {
    const d = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
    if (!d) return;
    e.preventDefault();
    const i = TABS.findIndex(([k]) => k === this.tab);
    this.tab = TABS[(i + d + TABS.length) % TABS.length][0];
    this.render();
    /** @type {HTMLElement | null} */ (this.head.querySelector('[aria-selected="true"]'))?.focus();
  }

  // ---- one row per field

  /** @param {Partial<Field> & {name: string, type: string, label: string}} field @param {any} value @param {(value: any) => Partial<Task>} to @param {boolean} [off] */
  common(field, value, to, off = false) {
    return fieldRow(/** @type {Field} */ (field), {
      value,
      readOnly: this.editor.readOnly || off,
      change: (v, typing) => this.put(to(v), field.name, typing),
    });
  }
  /** Changes the task that is shown. @param {Partial<Task>} change @param {string} field @param {boolean} typing */
  put(change, field, typing) {
    if (this.code === null) return;
    this.editor.model.setTask(this.code, change, { origin: ORIGIN, merge: typing ? `${this.code}:${field}` : undefined });
    if (!typing) this.editor.model.seal();
  }
  /** @param {Task} task */
  #taskTab(task) {
    const { editor } = this;
    const type = editor.types.get(task.taskType);
    const fields = type.foreign ? [] : type.fields.filter((f) => f.name !== 'localParams' && !f.sameAs && visible(f, task.taskParams)); // those have a tab of their own
    this.shown = shape(fields, task.taskParams);
    const row = (/** @type {Field} */ f) => fieldRow(offering(f, task.taskParams), {
      value: valueOf(task.taskParams, f.name) ?? (f.alias ? valueOf(task.taskParams, f.alias) : undefined) ?? (f.packed || f.type === 'select' ? f.default : undefined), // what counts where nothing is said
      readOnly: editor.readOnly,
      resources: editor.data.resources,
      names: () => parameterNames(editor.model, task.code, editor.data.projectParams),
      editor,
      code: task.code,
      change: (v, typing) => this.put({ taskParams: tidy(type, withValue(this.task?.taskParams, f.name, v)) }, f.name, typing),
    });
    const plain = fields.filter((f) => !f.advanced);
    const more = fields.filter((f) => f.advanced);
    return [
      this.#runNote(task),
      this.common({ name: 'name', type: 'text', label: t('js.editor.field.name'), required: true }, task.name, (v) => ({ name: v })),
      ...plain.map(row),
      type.foreign ? settings(this, task) : null,
      more.length ? h('details.dag-more', null, h('summary', null, t('js.editor.advanced')), h('div.form.flat', null, ...more.map(row))) : null,
      this.common({ name: 'description', type: 'textarea', label: t('js.editor.field.description') }, task.description, (v) => ({ description: v })),
    ].filter(Boolean);
  }
  /** @param {Task} task */
  #runNote(task) {
    const run = this.editor.states?.get(task.code);
    if (!run) return null;
    const seen = look(run.state);
    const facts = [t(seen.label)];
    if (run.attempt) facts.push(t('js.editor.attempt', { n: run.attempt, of: run.maxAttempts ?? run.attempt }));
    const took = ran(run, Date.now());
    if (took) facts.push(took);
    if (run.host) facts.push(run.host);
    return h('div.note', { role: 'note', 'data-state': seen.kind, 'data-test': 'editor.panel.state' }, icon(seen.icon),
      h('span.grow', null, h('b', null, facts.join(' · ')), run.reason ? h('span.dag-reason', null, run.reason) : null,
        run.logUrl ? h('a', { href: run.logUrl, 'data-test': 'editor.panel.log' }, t('js.editor.openLog')) : null));
  }
  /** @param {Task} task */
  #paramsTab(task) {
    const list = paramRows({
      value: task.taskParams?.localParams ?? [],
      readOnly: this.editor.readOnly,
      change: (v, typing) => this.put({ taskParams: { ...this.task?.taskParams, localParams: v } }, 'localParams', typing),
    }, 'field.localParams');
    const known = parameterNames(this.editor.model, task.code, this.editor.data.projectParams).filter((p) => p.source !== 'local' && p.source !== 'builtin');
    return [
      h('div.field', { 'data-field': 'localParams' }, h('span.lbl', null, t('js.editor.field.localParams')), list, h('p.hint', null, t('js.editor.field.localParams.help')), h('p.hint.error', { role: 'alert', hidden: true })),
      this.editor.data.urls.preview ? previewBox(this.editor, task.code) : null,
      known.length ? h('div.field', null, h('span.lbl', null, t('js.editor.param.known')), h('ul.dag-known', null, ...known.map((p) => h('li', null, h('code', null, `\${${p.name}}`), h('span.mut', null, t(KNOWN[p.source] ?? 'js.editor.param.global')))))) : null,
    ].filter(Boolean);
  }
  /** @param {Task} task */
  #dependTab(task) {
    const { editor } = this;
    const id = uid('pre');
    const filter = h('input.input', { id, type: 'search', placeholder: t('js.editor.depend.filter'), 'aria-label': t('js.editor.depend.filter'), 'data-test': 'field.preTasks.filter' });
    const list = h('div.checks.tall', { role: 'group', 'aria-label': t('js.editor.field.preTasks'), 'data-test': 'field.preTasks' });
    const render = () => {
      const model = editor.model;
      const pre = model.prev.get(task.code) ?? new Set();
      const after = model.downstream([task.code]);
      const q = filter.value.trim().toLowerCase();
      const others = [...model.tasks.values()].filter((x) => x.code !== task.code && x.name.toLowerCase().includes(q));
      others.sort((a, b) => Number(pre.has(b.code)) - Number(pre.has(a.code)) || a.name.localeCompare(b.name));
      list.replaceChildren(...others.slice(0, 200).map((x) => {
        const cycle = after.has(x.code);
        return h('label', { title: cycle ? t('js.editor.depend.cycle') : false },
          h('input.check', { type: 'checkbox', checked: pre.has(x.code), disabled: editor.readOnly || cycle, 'data-test': `field.preTasks.${x.name}`, onchange: (/** @type {any} */ e) => {
            const want = new Set(model.prev.get(task.code) ?? []);
            if (e.target.checked) want.add(x.code);
            else want.delete(x.code);
            const no = model.setUpstream(task.code, want);
            if (no) editor.refused(no);
          } }), ' ', x.name, cycle ? h('span.mut', null, ` ${t('js.editor.depend.after')}`) : null);
      }));
      if (others.length > 200) list.append(h('p.hint', null, t('js.editor.depend.more', { count: others.length - 200 })));
    };
    filter.addEventListener('input', render);
    render();
    const next = [...(editor.model.next.get(task.code) ?? [])].map((c) => editor.model.tasks.get(c));
    return [
      h('div.field', { 'data-field': 'preTasks' }, h('label', { for: id }, t('js.editor.field.preTasks')), filter, list, h('p.hint', null, t('js.editor.field.preTasks.help')), h('p.hint.error', { role: 'alert', hidden: true })),
      h('div.field', null, h('span.lbl', null, t('js.editor.field.postTasks')), next.length
        ? h('ul.dag-known', null, ...next.map((x) => h('li', null, h('button.link', { type: 'button', onclick: () => x && editor.selectTask(x.code) }, x?.name ?? ''))))
        : h('p.hint', null, t('js.editor.none'))),
    ];
  }

  /** Put the messages of the check under their fields. */
  problems() {
    const task = this.task;
    if (!task) return;
    const found = this.editor.problemsOf(task.code);
    const type = this.editor.types.get(task.taskType);
    for (const row of this.body.querySelectorAll('[data-field]')) {
      const name = row.dataset.field ?? '';
      const mine = found.find((p) => p.field === name);
      let text = mine?.message ?? (name === 'taskParams' && this.unread?.code === task.code ? t('js.editor.settings.bad') : '');
      if (!text) {
        const f = type.fields.find((x) => x.name === name);
        const p = f && f.required !== true ? fieldProblem(f, task.taskParams) : null;
        if (p) text = t(p.key, p.args);
      }
      setProblem(row, text, mine?.severity === 'warning');
    }
  }

  // ---- width

  #resizable() {
    const apply = (/** @type {number} */ w) => {
      w = Math.round(Math.max(300, Math.min(w, 900, innerWidth - 420)));
      this.el.style.width = `${w}px`;
      this.grip.setAttribute('aria-valuenow', String(w));
      try {
        localStorage.setItem(WIDTH, String(w));
      } catch {
        // only a comfort
      }
      return w;
    };
    let width = 372;
    try {
      width = Number(localStorage.getItem(WIDTH)) || 372;
    } catch {
      width = 372;
    }
    if (width !== 372) width = apply(width);
    this.grip.addEventListener('pointerdown', (/** @type {PointerEvent} */ e) => {
      e.preventDefault();
      this.grip.setPointerCapture(e.pointerId);
      const right = this.el.getBoundingClientRect().right;
      this.grip.onpointermove = (/** @type {PointerEvent} */ ev) => (width = apply(right - ev.clientX));
      this.grip.onpointerup = this.grip.onpointercancel = () => (this.grip.onpointermove = null);
    });
    this.grip.addEventListener('keydown', (/** @type {KeyboardEvent} */ e) => {
      const d = e.key === 'ArrowLeft' ? 16 : e.key === 'ArrowRight' ? -16 : 0;
      if (!d) return;
      e.preventDefault();
      width = apply(width + d);
    });
  }
}
