// @ts-check
/** The bar above the canvas, the tools floating on it, the run legend, and the list of problems. */
import { t } from '../messages.js';
import { h, icon, iconButton } from './dom.js';
import { menu } from './palette.js';
import { exportPicture } from './picture.js';
import { discardDraft, exportJson, openRun, save, toggleRelease } from './publish.js';
import { KINDS, KIND_LOOK, look } from './states.js';

/** @typedef {import('./editor.js').DagEditor} DagEditor */

const UNDO_TEXT = /** @type {Record<string, string>} */ ({
  add: 'js.editor.did.add', paste: 'js.editor.did.paste', duplicate: 'js.editor.did.duplicate', connect: 'js.editor.did.connect', reconnect: 'js.editor.did.reconnect',
  label: 'js.editor.did.label', delete: 'js.editor.did.delete', cut: 'js.editor.did.cut', move: 'js.editor.did.move', layout: 'js.editor.did.layout',
  edit: 'js.editor.did.edit', settings: 'js.editor.did.settings', align: 'js.editor.did.align',
});

/** What a patch did, in words. @param {import('./model.js').Patch | undefined | null} p */
export const didText = (p) => (p ? t(UNDO_TEXT[p.what] ?? 'js.editor.did.edit', { count: p.count ?? 1 }) : '');

export class Toolbar {
  shownTags = '';
  /** @param {DagEditor} editor */
  constructor(editor) {
    this.editor = editor;
    const ro = editor.readOnly;
    const picture = !!editor.data.instance; // the page around it says which run, how it is, and what can be done
    const run = (/** @type {string} */ c) => () => void editor.run(c);
    this.name = h('input.dag-name', { type: 'text', 'aria-label': t('js.editor.save.name'), placeholder: t('js.editor.newWorkflow'), 'data-test': 'editor.name', readonly: ro,
      oninput: () => editor.model.setMeta({ name: this.name.value }, { origin: 'toolbar', merge: 'meta:name' }),
      onchange: () => editor.model.seal(),
      onkeydown: (/** @type {KeyboardEvent} */ e) => {
        if (e.key === 'Enter' || e.key === 'Escape') {
          e.preventDefault();
          editor.view.stage.focus();
        }
      } });
    this.tags = h('span.dag-tags', { role: 'status', 'data-test': 'editor.status' });
    this.undo = iconButton(t('js.editor.undo'), 'undo', run('undo'), { 'data-test': 'editor.undo' }, '');
    this.redo = iconButton(t('js.editor.redo'), 'redo', run('redo'), { 'data-test': 'editor.redo' }, '');
    this.problems = h('button.btn.sm', { type: 'button', 'data-test': 'editor.check', 'aria-expanded': 'false', onclick: () => editor.problemPanel.toggle() });
    this.views = h('span.group', { role: 'group', 'aria-label': t('js.editor.view') },
      h('button.btn.sm', { type: 'button', 'aria-pressed': 'true', 'data-test': 'editor.view.graph', onclick: () => editor.showList(false) }, icon('flow'), h('span.dag-word', null, t('js.editor.view.graph'))),
      h('button.btn.sm', { type: 'button', 'aria-pressed': 'false', 'data-test': 'editor.view.list', onclick: () => editor.showList(true) }, icon('list'), h('span.dag-word', null, t('js.editor.view.list'))),
      editor.data.urls.yaml ? h('button.btn.sm', { type: 'button', 'aria-pressed': 'false', 'data-test': 'editor.view.yaml', onclick: () => editor.showList(false, true) }, icon('code'), h('span.dag-word', null, t('js.yaml.view'))) : null);
    this.release = h('button.btn.sm', { type: 'button', onclick: () => void toggleRelease(editor) });
    this.runButton = h('button.btn.sm', { type: 'button', 'data-test': 'editor.run', onclick: () => void openRun(editor) }, icon('play'), t('js.editor.run'));
    this.versions = h('a.btn.sm', { 'data-test': 'editor.versions' }, icon('history'), h('span.dag-word', null, t('js.editor.versions')));
    this.more = iconButton(t('js.editor.more'), 'more', () => this.#more(), { 'data-test': 'editor.more', 'aria-haspopup': 'menu' });
    this.legend = h('div.dag-legend', { role: 'group', 'aria-label': t('js.editor.legend'), hidden: true });
    this.el = h('div.dag-bar', { role: 'toolbar', 'aria-label': t('js.editor.toolbar'), 'data-test': 'editor.toolbar' },
      ...(picture ? [this.legend] : [this.name, this.tags]), h('span.grow'),
      ...(ro ? [] : [h('span.group', null, this.undo, this.redo)]),
      this.views,
      ro ? null : iconButton(t('js.editor.add'), 'plus', run('quickAddCentre'), { 'data-test': 'editor.add' }),
      iconButton(t('js.editor.search'), 'search', run('search'), { 'data-test': 'editor.search' }),
      iconButton(t('js.editor.variables'), 'variable', run('variables'), { 'data-test': 'editor.variables' }),
      ro ? null : this.problems,
      this.versions, this.release, this.runButton,
      ro ? null : h('span.split', null,
        h('button.btn.sm.primary', { type: 'button', 'data-test': 'editor.save', onclick: run('save') }, t('js.editor.save')),
        h('button.btn.sm.primary', { type: 'button', 'aria-label': t('js.editor.save.more'), 'aria-haspopup': 'menu', 'data-test': 'editor.save.more', onclick: () => this.#saveMenu() }, icon('down'))),
      this.more,
      editor.closeUrl() && !picture ? h('a.btn.ghost.icon.sm', { href: editor.closeUrl(), 'aria-label': t('js.editor.close'), title: t('js.editor.close'), 'data-test': 'editor.close' }, icon('x')) : null);
    this.zoom = h('button.btn.ghost.sm.num.dag-zoom', { type: 'button', 'data-test': 'editor.zoom', title: t('js.editor.zoomOne'), onclick: run('zoomOne') }, '100%');
    this.minimap = iconButton(t('js.editor.minimap'), 'map', run('minimap'), { 'data-test': 'editor.minimap.toggle' });
    this.float = h('div.float.dag-tools', { role: 'toolbar', 'aria-label': t('js.editor.tools') },
      iconButton(t('js.editor.zoomOut'), 'minus', run('zoomOut'), { 'data-test': 'editor.zoomOut' }), this.zoom,
      iconButton(t('js.editor.zoomIn'), 'plus', run('zoomIn'), { 'data-test': 'editor.zoomIn' }), h('hr'),
      iconButton(t('js.editor.fit'), 'fit', run('fit'), { 'data-test': 'editor.fit' }),
      ro ? null : iconButton(t('js.editor.layout'), 'layout', run('layout'), { 'data-test': 'editor.layout' }),
      this.minimap,
      iconButton(t('js.editor.fullscreen'), 'maximize', run('fullscreen'), { 'data-test': 'editor.fullscreen' }),
      iconButton(t('js.editor.shortcuts'), 'keyboard', run('help'), { 'data-test': 'editor.help' }));
  }
  #more() {
    const { editor } = this;
    const r = this.more.getBoundingClientRect();
    menu(editor.overlay, r.left - 120, r.bottom + 4, [
      { text: t('js.editor.export'), icon: 'download', test: 'editor.export', run: () => exportJson(editor) },
      { text: t('js.editor.export.svg'), icon: 'download', test: 'editor.exportSvg', run: () => void exportPicture(editor, 'svg') },
      { text: t('js.editor.export.png'), icon: 'download', test: 'editor.exportPng', run: () => void exportPicture(editor, 'png') },
      ...(editor.data.urls.versions && editor.data.urls.yaml ? [{ text: t('js.yaml.export'), icon: 'download', test: 'editor.exportYaml', run: () => void (location.href = editor.data.urls.yaml ?? '') }] : []),
      ...(editor.data.urls.schedules && !editor.data.instance ? [{ text: t('js.editor.timing'), icon: 'clock', test: 'editor.timing', run: () => void (location.href = editor.data.urls.schedules ?? '') }] : []),
      ...(editor.readOnly ? [] : [{ text: t('js.editor.check'), icon: 'check', test: 'editor.checkNow', run: () => void editor.checkNow() }]),
      ...(editor.readOnly ? [] : [null,
        { text: t('js.editor.saveDraft'), icon: 'save', key: 'Ctrl S', test: 'editor.saveDraft', run: () => void editor.run('saveDraft') },
        { text: t('js.editor.discard'), icon: 'trash', test: 'editor.discard', disabled: editor.draft.exists || editor.draft.pending ? '' : t('js.editor.discard.none'), run: () => void discardDraft(editor) }]),
      null,
      { text: t('js.editor.shortcuts'), icon: 'keyboard', key: '?', test: 'editor.shortcuts', run: () => void editor.run('help') },
    ], () => this.more.focus());
  }
  #saveMenu() {
    const { editor } = this;
    const r = this.el.querySelector('.split').getBoundingClientRect();
    const items = [
      { text: t('js.editor.save'), icon: 'save', key: 'Ctrl Shift S', test: 'editor.save.plain', run: () => void save(editor, false) },
      { text: t('js.editor.save.andOnline'), icon: 'power', test: 'editor.save.online', run: () => void save(editor, true) },
    ];
    if (editor.closeUrl()) items.push({ text: t('js.editor.save.andClose'), icon: 'logout', test: 'editor.save.close', run: () => void save(editor, false, true) });
    menu(editor.overlay, r.right - 230, r.bottom + 4, items);
  }
  /** Bring buttons and tags in step with the document. */
  update() {
    const { editor } = this;
    const { model } = editor;
    if (document.activeElement !== this.name) this.name.value = model.meta.name;
    this.name.style.width = `${Math.min(36, Math.max(10, [...(this.name.value || this.name.placeholder)].reduce((n, c) => n + (c > '\u2e80' ? 2 : 1), 3)))}ch`;
    for (const [b, stack, key] of /** @type {[any, any[], string][]} */ ([[this.undo, model.undoStack, 'js.editor.undo'], [this.redo, model.redoStack, 'js.editor.redo']])) {
      const top = stack.at(-1);
      b.setAttribute('aria-disabled', String(!top));
      const text = top ? `${t(key)}: ${didText(top)}` : t(key);
      b.title = text;
      b.setAttribute('aria-label', text);
    }
    this.#tags();
    const online = editor.data.definition.releaseState === 'ONLINE';
    this.release.replaceChildren(icon(online ? 'power-off' : 'power'), h('span.dag-word', null, t(online ? 'js.editor.offline' : 'js.editor.online')));
    this.release.dataset.test = online ? 'editor.offline' : 'editor.online';
    // A new workflow gets these addresses with its first save.
    const { urls, instance } = editor.data;
    this.versions.hidden = !urls.versions;
    if (instance) this.versions.hidden = true;
    if (urls.versions) this.versions.href = urls.versions;
    this.release.hidden = !urls.online || !urls.offline || !!instance;
    this.runButton.hidden = !urls.run || !!instance;
    const unsaved = !editor.data.definition.code;
    this.release.setAttribute('aria-disabled', String(unsaved));
    this.release.title = unsaved ? t('js.editor.saveFirst') : '';
    this.runButton.setAttribute('aria-disabled', String(!online));
    this.runButton.title = online ? '' : t('js.editor.run.offline');
  }
  #tags() {
    const { editor } = this;
    const { definition } = editor.data;
    const tag = (/** @type {string} */ text, /** @type {string} */ kind, /** @type {string} */ name) => h('span.tag', { 'data-tag': kind }, icon(name), text);
    const tags = [];
    if (editor.data.instance) tags.push(h('span.pill', null, editor.data.instance.name ?? `#${editor.data.instance.id}`));
    if (definition.code) tags.push(definition.releaseState === 'ONLINE' ? tag(t('js.editor.tag.online', { version: definition.version }), 'online', 'circle-check') : tag(t('js.editor.tag.offline', { version: definition.version }), 'offline', 'circle'));
    const at = editor.draft.savedAt ? new Date(editor.draft.savedAt) : null;
    const time = at && !Number.isNaN(+at) ? at.toLocaleTimeString(document.documentElement.lang || 'en', { hour: '2-digit', minute: '2-digit', hour12: false }) : '';
    if (!editor.readOnly) {
      const s = editor.draft.status;
      if (s === 'saved') tags.push(tag(time ? t('js.editor.tag.saved', { time }) : t('js.editor.tag.draft'), 'draft', 'edit'));
      else if (s === 'dirty' || s === 'saving') tags.push(tag(t('js.editor.tag.unsaved'), 'draft', 'edit'));
      else if (s === 'failed' || s === 'signedOut' || s === 'conflict') tags.push(tag(t('js.editor.tag.failed'), 'bad', 'warn'));
      else if (!definition.code) tags.push(tag(t('js.editor.tag.new'), 'draft', 'edit'));
    }
    const key = tags.map((x) => x.textContent + x.dataset.tag).join('|');
    if (key !== this.shownTags) this.tags.replaceChildren(...tags);
    this.shownTags = key;
  }
  /** Bring the tools in step with the camera. */
  updateView() {
    const { view, minimap } = this.editor;
    const needless = view.seesAll();
    this.minimap.setAttribute('aria-pressed', String(minimap.on && !needless));
    this.minimap.setAttribute('aria-disabled', String(needless));
    this.minimap.title = needless ? `${t('js.editor.minimap')}: ${t('js.editor.minimap.needless')}` : t('js.editor.minimap');
    this.#zoom(view.k);
  }
  /** @param {number} k */
  #zoom(k) {
    const text = `${Math.round(k * 100)}%`;
    if (this.zoom.textContent === text) return;
    this.zoom.textContent = text;
    this.zoom.setAttribute('aria-label', `${text} ${t('js.editor.zoomOne')}`); // begins with what is seen
  }
  /** Counters of the run; a press jumps to the next task of that state. */
  updateLegend() {
    const { editor } = this;
    this.legend.hidden = !editor.states;
    if (!editor.states) return;
    /** @type {Record<string, number>} */
    const count = {};
    for (const c of editor.model.tasks.keys()) {
      const k = look(editor.states.get(c)?.state).kind;
      count[k] = (count[k] ?? 0) + 1;
    }
    this.legend.replaceChildren(...KINDS.filter((k) => count[k]).map((k) =>
      h('button.state', { type: 'button', 'data-state': k, 'data-test': `editor.legend.${k}`, title: t('js.editor.legend.next', { state: t(KIND_LOOK[k].label) }), onclick: () => editor.jump(k) },
        icon(KIND_LOOK[k].icon, k === 'running' ? 'spin' : ''), h('span.num', null, String(count[k])), ' ', h('span', null, t(KIND_LOOK[k].label)))));
  }
}

/** The list of problems, docked at the bottom. */
export class ProblemPanel {
  /** @param {DagEditor} editor */
  constructor(editor) {
    this.editor = editor;
    this.list = h('ul.dag-problems', { 'data-test': 'editor.problems.list' });
    this.el = h('section.dag-check', { 'aria-label': t('js.editor.problems'), hidden: true, 'data-test': 'editor.problems' },
      h('header.row', null, h('h2.grow', null, t('js.editor.problems')), iconButton(t('js.editor.close'), 'x', () => this.toggle(false))), h('div.scroll', null, this.list));
  }
  /** @param {boolean} [open] */
  toggle(open = this.el.hidden) {
    this.el.hidden = !open;
    this.editor.toolbar.problems.setAttribute('aria-expanded', String(open));
    this.render();
    if (open) void this.editor.checkNow();
  }
  render() {
    const { editor } = this;
    const list = editor.problemList;
    const errors = list.filter((p) => p.severity === 'error').length;
    const b = editor.toolbar.problems;
    b.dataset.severity = errors ? 'error' : list.length ? 'warning' : 'none';
    b.replaceChildren(icon(list.length ? 'warn' : 'check'), h(list.length ? 'span.num' : 'span.dag-word', null, list.length ? t('js.editor.problems.count', { count: list.length }) : t('js.editor.problems.none')));
    if (this.el.hidden) return;
    this.list.replaceChildren(...list.slice(0, 300).map((p) => h('li', null,
      h('button', { type: 'button', 'data-severity': p.severity, 'data-test': 'editor.problem', 'data-code': String(p.taskCode), onclick: () => editor.goToProblem(p) },
        icon(p.severity === 'error' ? 'circle-x' : 'warn'), h('span.vh', null, t(p.severity === 'error' ? 'js.editor.error' : 'js.editor.warning')),
        h('b', null, editor.model.tasks.get(p.taskCode)?.name ?? (p.taskCode ? String(p.taskCode) : t('js.editor.workflow'))), h('span', null, p.message)))));
    if (!list.length) this.list.replaceChildren(h('li.hint', null, t('js.editor.problems.none')));
  }
}
