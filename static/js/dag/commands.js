// @ts-check
/**
 * What the keys, buttons and menus do. Each command takes the editor; the names are those of keys.js.
 * @typedef {import('./editor.js').DagEditor} DagEditor
 */
import { t } from '../messages.js';
import { call } from './api.js';
import { labelRoom } from './branch.js';
import { copyText, parseClip, plan } from './clipboard.js';
import { shortcutsDialog, variablesDialog } from './dialogs.js';
import { GRID } from './geometry.js';
import { NODE_H, NODE_W } from './model.js';
import { picker } from './palette.js';
import { exportJson, openRun, openStream, save } from './publish.js';
import { findTasks, findTypes } from './search.js';
import { look } from './states.js';
import { didText } from './toolbar.js';

/** @param {DagEditor} e @param {'undo' | 'redo'} which */
function history(e, which) {
  const p = which === 'undo' ? e.model.undo() : e.model.redo();
  if (!p) return e.say(t(which === 'undo' ? 'js.editor.undo.none' : 'js.editor.redo.none'));
  e.say(`${t(which === 'undo' ? 'js.editor.undo' : 'js.editor.redo')}: ${didText(p)}`);
}

/** @param {DagEditor} e @param {number} f */
const zoom = (e, f) => e.view.zoomTo(e.view.k * f);

/** @param {DagEditor} e */
function copy(e) {
  if (!e.view.selected.size) return false;
  const text = copyText(e.model, e.view.selected);
  e.clip = text;
  navigator.clipboard?.writeText(text).catch(() => {}); // the editor's own copy still pastes
  e.say(t('js.editor.said.copied', { count: e.view.selected.size }));
  return true;
}

/** @param {DagEditor} e @param {string} text @param {import('./types.js').Point | null} at @param {string} what */
export async function pasteText(e, text, at, what = 'paste') {
  const clip = parseClip(text);
  if (!clip) return e.say(t('js.editor.said.nothingToPaste'));
  const codes = await e.takeCodes(clip.tasks.length);
  if (!codes) return;
  const p = plan(e.model, clip, codes, at);
  e.model.add(p.tasks, p.places, p.relations, what);
  e.view.select(codes);
  e.view.reveal(codes[0]);
  e.say(t('js.editor.said.pasted', { count: codes.length }));
}

/** Where pasted tasks go: the middle of the view when the originals are out of sight. @param {DagEditor} e */
function pastePlace(e) {
  const c = e.view.centre();
  const clip = parseClip(e.clip);
  const seen = clip?.tasks.some((x) => {
    const p = e.model.places.get(x.code);
    return p && Math.abs(p.x - c.x) < 700 / e.view.k && Math.abs(p.y - c.y) < 400 / e.view.k;
  });
  return seen ? null : { x: Math.round(c.x / GRID) * GRID - NODE_W / 2, y: Math.round(c.y / GRID) * GRID - NODE_H / 2 };
}

/** Arrow keys: walk the graph, or move what is selected. @param {DagEditor} e @param {'left' | 'right' | 'up' | 'down'} way @param {KeyboardEvent} [ev] */
function arrow(e, way, ev) {
  const [dx, dy] = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] }[way];
  const { view, model } = e;
  if ((ev?.altKey || e.moving) && view.selected.size && !e.readOnly) {
    const step = ev?.shiftKey ? 1 : GRID;
    const to = new Map([...view.selected].map((c) => [c, { x: model.place(c).x + dx * step, y: model.place(c).y + dy * step }]));
    return model.move(to, 'move', `nudge:${[...view.selected].join()}`);
  }
  const cur = [...view.selected].at(-1);
  if (cur === undefined) {
    if (!view.selectedEdges.size && model.tasks.size && !e.walked) return e.walkTo(e.order()[0]);
    return view.panBy(-dx * 64, -dy * 64);
  }
  const at = model.place(cur);
  const linked = way === 'left' ? model.prev.get(cur) : way === 'right' ? model.next.get(cur) : undefined;
  if (linked?.size) {
    const best = [...linked].sort((a, b) => Math.abs(model.place(a).y - at.y) - Math.abs(model.place(b).y - at.y))[0];
    return e.walkTo(best);
  }
  let best = null;
  let least = Infinity;
  for (const [code, p] of model.places) {
    const along = (p.x - at.x) * dx + (p.y - at.y) * dy;
    if (code === cur || along <= 4) continue;
    const score = along + 2.5 * (Math.abs((p.x - at.x) * dy) + Math.abs((p.y - at.y) * dx));
    if (score < least) {
      least = score;
      best = code;
    }
  }
  if (best !== null) e.walkTo(best);
}

/** @param {DagEditor} e */
async function layout(e) {
  const url = e.data.urls.layout;
  if (!url || !e.model.tasks.size) return;
  const only = e.view.selected.size > 1 ? e.view.selected : null;
  const nodes = [...e.model.tasks.values()].filter((x) => !only || only.has(x.code)).map((x) => ({ id: x.code, w: NODE_W + labelRoom(x), h: NODE_H }));
  const edges = [...e.model.edges.values()].filter((r) => !only || (only.has(r.preTaskCode) && only.has(r.postTaskCode))).map((r) => [r.preTaskCode, r.postTaskCode]);
  try {
    const res = await call('POST', url, { nodes, edges, direction: 'LR' });
    /** @type {{id: number, x: number, y: number}[]} */
    const placed = res.positions ?? [];
    let dx = 0;
    let dy = 0;
    if (only) {
      dx = Math.min(...placed.map((p) => e.model.place(p.id).x));
      dy = Math.min(...placed.map((p) => e.model.place(p.id).y));
    }
    e.model.move(new Map(placed.map((p) => [p.id, { x: Math.round(p.x + dx), y: Math.round(p.y + dy) }])), 'layout');
    if (!only) e.view.fit();
    e.say(t('js.editor.did.layout', { count: placed.length }));
  } catch (err) {
    e.failed(err);
  }
}

/** @param {DagEditor} e */
function search(e) {
  const r = e.view.rect();
  const items = () => new Map([...e.model.tasks.values()].map((x) => [x.code, x]));
  picker({
    host: e.overlay, x: r.left + r.width / 2 - 150, y: r.top + 48, label: t('js.editor.search'), placeholder: t('js.editor.search.hint'), test: 'editor.find',
    find: (q) => {
      const hits = q.trim() ? findTasks(items().values(), q, (x) => e.types.label(x), 50) : e.order().slice(0, 50).map((c) => ({ task: /** @type {any} */ (e.model.tasks.get(c)), where: 'name', text: '' }));
      return hits.map((x) => ({ key: String(x.task.code), text: x.task.name, note: x.where === 'script' ? x.text : e.types.label(x.task.taskType), icon: e.types.get(x.task.taskType).icon, type: x.task.taskType }));
    },
    choose: (key) => {
      e.walkTo(Number(key));
      e.view.reveal(Number(key), { near: true });
      e.flash(Number(key));
    },
    closed: () => e.view.stage.focus({ preventScroll: true }),
  });
}

/**
 * The quick-add list: choose a type, get a task at a point, joined to `from` when given.
 * @param {DagEditor} e @param {number} cx @param {number} cy @param {number} [from] @param {{x: number, y: number}} [list] where it opens; default the point
 */
export function quickAdd(e, cx, cy, from, list = { x: cx, y: cy }) {
  if (e.readOnly) return;
  const p = e.view.toGraph(cx, cy);
  picker({
    host: e.overlay, ...list, label: t('js.editor.palette'), placeholder: t('js.editor.palette.search'), test: 'editor.quickAdd',
    find: (q) => findTypes(e.types.all, q).slice(0, 60).map((x) => ({ key: x.type, text: x.label, icon: x.icon, type: x.type })),
    choose: (type) => void e.addTask(type, e.freePlace({ x: from === undefined ? p.x - NODE_W / 2 : p.x, y: p.y - NODE_H / 2 }), from).then((code) => code && e.view.reveal(code)),
    closed: () => e.view.stage.focus({ preventScroll: true }),
  });
}

/** @param {DagEditor} e @param {'x' | 'y'} axis */
export function align(e, axis) {
  const chosen = [...e.view.selected];
  const to = Math.min(...chosen.map((c) => e.model.place(c)[axis]));
  e.model.move(new Map(chosen.map((c) => [c, { ...e.model.place(c), [axis]: to }])), 'align');
}

/** @param {DagEditor} e @param {'x' | 'y'} axis */
export function distribute(e, axis) {
  const chosen = [...e.view.selected].sort((a, b) => e.model.place(a)[axis] - e.model.place(b)[axis]);
  const first = e.model.place(chosen[0])[axis];
  const step = (e.model.place(chosen[chosen.length - 1])[axis] - first) / Math.max(1, chosen.length - 1);
  e.model.move(new Map(chosen.map((c, i) => [c, { ...e.model.place(c), [axis]: Math.round(first + i * step) }])), 'align');
}

/** Connect every selected task to one chosen from a list, for targets far away. @param {DagEditor} e */
export function connectTo(e) {
  const from = [...e.view.selected];
  const r = e.view.rect();
  picker({
    host: e.overlay, x: r.left + r.width / 2 - 150, y: r.top + 80, label: t('js.editor.connectTo'), placeholder: t('js.editor.search.hint'), test: 'editor.connectTo',
    find: (q) => [...(q.trim() ? findTasks(e.model.tasks.values(), q, (x) => e.types.label(x), 80).map((x) => x.task) : e.model.tasks.values())]
      .filter((x) => from.some((c) => !e.model.cannotConnect(c, x.code))).slice(0, 60)
      .map((x) => ({ key: String(x.code), text: x.name, note: e.types.label(x.taskType), icon: e.types.get(x.taskType).icon, type: x.taskType })),
    choose: (key) => e.model.batch('connect', () => {
      for (const c of from) {
        const no = e.model.connect(c, Number(key));
        if (no && no.why !== 'duplicate') e.refused(no);
      }
    }),
  });
}

/** @type {Record<string, (e: DagEditor, ev?: KeyboardEvent) => any>} */
export const COMMANDS = {
  undo: (e) => history(e, 'undo'),
  redo: (e) => history(e, 'redo'),
  zoomIn: (e) => zoom(e, 1.25),
  zoomOut: (e) => zoom(e, 1 / 1.25),
  zoomOne: (e) => e.view.zoomTo(1),
  fit: (e) => e.view.fit(),
  layout,
  search,
  copy,
  cut: (e) => copy(e) && e.model.remove(e.view.selected, [], 'cut'),
  paste: async (e) => {
    let text = '';
    try {
      text = await navigator.clipboard.readText();
    } catch {
      text = ''; // no permission: the editor's own copy
    }
    await pasteText(e, parseClip(text) ? text : e.clip, pastePlace(e));
  },
  duplicate: (e) => (e.view.selected.size ? pasteText(e, copyText(e.model, e.view.selected), null, 'duplicate') : undefined),
  selectAll: (e) => {
    e.view.select(e.model.tasks.keys());
    e.say(t('js.editor.selected', { count: e.model.tasks.size }));
  },
  selectUpstream: (e) => e.view.select(e.model.upstream(e.view.selected)),
  selectDownstream: (e) => e.view.select(e.model.downstream(e.view.selected)),
  delete: (e) => {
    const n = e.view.selected.size;
    if (n || e.view.selectedEdges.size) e.model.remove([...e.view.selected], [...e.view.selectedEdges]);
    if (n) e.say(t('js.editor.did.delete', { count: n }));
  },
  enable: (e) => {
    const chosen = [...e.view.selected];
    const off = chosen.some((c) => e.model.tasks.get(c)?.flag !== 'NO');
    e.model.setTasks(chosen.map((c) => [c, { flag: off ? 'NO' : 'YES' }]));
  },
  saveDraft: async (e) => {
    await e.yaml.flush();
    if (!e.model.meta.name.trim() && !e.data.definition.code) return save(e, false);
    await e.draft.flush();
    if (e.draft.status === 'saved' || e.draft.status === 'clean') e.say(t('js.editor.said.draftSaved'));
  },
  save: (e) => save(e, false),
  variables: variablesDialog,
  help: (e) => shortcutsDialog(e.overlay),
  fullscreen: (e) => (document.fullscreenElement ? document.exitFullscreen() : e.requestFullscreen?.().catch(() => {})),
  minimap: (e) => {
    if (e.view.seesAll()) return e.say(t('js.editor.minimap.needless'));
    e.minimap.toggle();
  },
  quickAdd: (e) => {
    const r = e.view.rect();
    const at = e.pointer && e.pointer.x > r.left && e.pointer.x < r.right && e.pointer.y > r.top && e.pointer.y < r.bottom ? e.pointer : { x: r.left + r.width / 2, y: r.top + r.height / 2 };
    quickAdd(e, at.x, at.y);
  },
  quickAddCentre: (e) => {
    const r = e.view.rect();
    quickAdd(e, r.left + r.width / 2, r.top + r.height / 2, undefined, { x: r.left + r.width / 2 - 140, y: r.top + 60 });
  },
  connect: (e) => {
    const [id] = e.view.selected;
    if (e.view.selected.size !== 1) return e.say(t('js.editor.said.chooseOne'));
    e.linkFrom = id;
    e.view.stage.toggleAttribute('data-linking', true);
    e.say(e.mode(t('js.editor.said.connect', { name: e.model.tasks.get(id)?.name ?? '' })));
  },
  moveMode: (e) => {
    if (!e.view.selected.size) return e.say(t('js.editor.said.chooseOne'));
    e.moving = !e.moving;
    if (e.moving) e.say(e.mode(t('js.editor.said.moving')));
    else {
      e.mode('');
      e.say(t('js.editor.said.moved'));
    }
  },
  activate: (e) => {
    const cur = [...e.view.selected].at(-1);
    if (e.moving) return COMMANDS.moveMode(e);
    if (e.linkFrom !== null && cur !== undefined) {
      const from = e.linkFrom;
      e.stopLinking();
      if (from !== cur) e.connect(from, cur);
    } else if (cur !== undefined) e.openTask(cur, { focus: true });
  },
  escape: (e) => {
    if (e.pointers.busy) return e.pointers.cancel();
    if (e.linkFrom !== null) return e.stopLinking();
    if (e.moving) return COMMANDS.moveMode(e);
    e.walked = true; // Tab now leaves the canvas
    e.view.select([]);
  },
  menu: (e) => {
    const cur = [...e.view.selected].at(-1);
    const r = e.view.rect();
    const p = cur === undefined ? e.view.centre() : e.model.place(cur);
    e.openMenu(r.left + e.view.tx + (p.x + 40) * e.view.k, r.top + e.view.ty + (p.y + 40) * e.view.k);
  },
  openLog: (e) => {
    const cur = [...e.view.selected].at(-1);
    const url = cur === undefined ? undefined : e.states?.get(cur)?.logUrl;
    if (url) location.href = url;
  },
  nextFailed: (e) => {
    if (!e.jump('failed')) e.say(t('js.editor.said.noFailed'));
  },
  left: (e, ev) => arrow(e, 'left', ev),
  right: (e, ev) => arrow(e, 'right', ev),
  up: (e, ev) => arrow(e, 'up', ev),
  down: (e, ev) => arrow(e, 'down', ev),
  first: (e) => e.walkTo(e.order()[0]),
  last: (e) => e.walkTo(e.order().at(-1)),
};

/** The entries of the context menu for what is selected. @param {DagEditor} e @param {number} cx @param {number} cy */
export function contextMenu(e, cx, cy) {
  const { view, model } = e;
  const run = (/** @type {string} */ c) => () => void e.run(c);
  const [edge] = view.selectedEdges;
  if (!view.selected.size && edge) {
    return e.readOnly ? [] : [
      { text: t('js.editor.edge.label'), icon: 'tag', test: 'editor.menu.label', run: () => void e.labelEdge(edge) },
      { text: t('js.editor.delete'), icon: 'unlink', key: 'Del', test: 'editor.menu.delete', run: run('delete') },
    ];
  }
  if (!view.selected.size) {
    return [
      ...(e.readOnly ? [] : [
        { text: t('js.editor.add'), icon: 'plus', key: 'A', test: 'editor.menu.add', run: () => quickAdd(e, cx, cy) },
        { text: t('js.editor.paste'), icon: 'clipboard', key: 'Ctrl V', test: 'editor.menu.paste', run: run('paste') },
      ]),
      { text: t('js.editor.key.selectAll'), test: 'editor.menu.selectAll', key: 'Ctrl A', run: run('selectAll') },
      { text: t('js.editor.fit'), icon: 'fit', key: '0', test: 'editor.menu.fit', run: run('fit') },
      ...(e.readOnly ? [] : [{ text: t('js.editor.layout'), icon: 'layout', key: 'Shift L', test: 'editor.menu.layout', run: run('layout') }]),
      { text: t('js.editor.export'), icon: 'download', test: 'editor.menu.export', run: () => exportJson(e) },
    ];
  }
  const [code] = view.selected;
  const one = view.selected.size === 1;
  /** @type {any[]} */
  const items = [];
  if (one && e.data.urls.run && !e.data.instance) {
    const online = e.data.definition.releaseState === 'ONLINE';
    const stream = e.data.urls.stream && model.tasks.get(code)?.taskExecuteType === 'STREAM';
    const start = (/** @type {string} */ text, /** @type {string} */ depend, /** @type {string} */ iconName) => ({ text: t(text), icon: iconName, test: `editor.menu.run.${depend}`, disabled: online ? '' : t('js.editor.run.offline'), run: () => void openRun(e, code, depend) });
    if (stream) items.push({ text: t('js.editor.run.stream'), icon: 'play', test: 'editor.menu.stream', disabled: online ? '' : t('js.editor.run.offline'), run: () => openStream(e, code) }, null);
    else items.push(start('js.editor.run.from', 'TASK_POST', 'fast-forward'), start('js.editor.run.to', 'TASK_PRE', 'step'), start('js.editor.run.only', 'TASK_ONLY', 'play'), null);
  }
  if (one) items.push({ text: t(e.readOnly ? 'js.editor.show' : 'js.editor.edit'), icon: 'edit', key: 'Enter', test: 'editor.menu.edit', run: () => e.openTask(code, { focus: true }) });
  const log = one ? e.states?.get(code)?.logUrl : undefined;
  if (log) items.push({ text: t('js.editor.openLog'), icon: 'file-text', key: 'L', test: 'editor.menu.log', run: () => (location.href = log) });
  items.push({ text: t('js.editor.copy'), icon: 'copy', key: 'Ctrl C', test: 'editor.menu.copy', run: run('copy') });
  if (!e.readOnly) {
    const on = [...view.selected].some((c) => model.tasks.get(c)?.flag !== 'NO');
    items.push({ text: t('js.editor.cut'), key: 'Ctrl X', test: 'editor.menu.cut', run: run('cut') },
      { text: t('js.editor.duplicate'), key: 'Ctrl D', test: 'editor.menu.duplicate', run: run('duplicate') },
      { text: t('js.editor.connectTo'), icon: 'link', test: 'editor.menu.connectTo', run: () => connectTo(e) });
    if (one) {
      items.push({ text: t('js.editor.addAfter'), icon: 'plus', test: 'editor.menu.addAfter', run: () => {
        const p = model.place(code);
        const r = view.rect();
        quickAdd(e, r.left + view.tx + (p.x + NODE_W + 64) * view.k, r.top + view.ty + (p.y + NODE_H / 2) * view.k, code);
      } });
    } else {
      items.push({ text: t('js.editor.align.left'), test: 'editor.menu.alignLeft', run: () => align(e, 'x') }, { text: t('js.editor.align.top'), test: 'editor.menu.alignTop', run: () => align(e, 'y') });
      if (view.selected.size > 2) items.push({ text: t('js.editor.distribute.x'), test: 'editor.menu.distributeX', run: () => distribute(e, 'x') }, { text: t('js.editor.distribute.y'), test: 'editor.menu.distributeY', run: () => distribute(e, 'y') });
    }
    items.push({ text: t(on ? 'js.editor.disable' : 'js.editor.enable'), icon: 'ban', test: 'editor.menu.flag', run: run('enable') });
  }
  items.push(null, { text: t('js.editor.selectUp'), test: 'editor.menu.up', run: run('selectUpstream') }, { text: t('js.editor.selectDown'), test: 'editor.menu.down', run: run('selectDownstream') });
  if (!e.readOnly) items.push(null, { text: t('js.editor.delete'), icon: 'trash', key: 'Del', test: 'editor.menu.delete', run: run('delete') });
  return items;
}

/** Tasks in the order Tab walks them. @param {DagEditor} e @param {string} kind */
export const ofKind = (e, kind) => e.order().filter((c) => look(e.states?.get(c)?.state).kind === kind);

