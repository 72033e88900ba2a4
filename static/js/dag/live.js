// @ts-check
/** A run on the canvas: states come by event, running tasks count up, one can go to the next task of a state. */
import { t } from '../messages.js';
import { ofKind } from './commands.js';
import { look } from './states.js';

/** @typedef {import('./editor.js').DagEditor} DagEditor @typedef {import('./types.js').RunState} RunState */

export class LiveRun {
  #ticker = 0;
  /** @type {EventSource | null} */ #events = null;

  /** @param {DagEditor} editor */
  constructor(editor) {
    this.editor = editor;
  }
  start() {
    const { editor } = this;
    const { instance } = editor.data;
    if (!instance) return;
    // Running tasks count up once a second.
    this.#ticker = window.setInterval(() => {
      for (const [c, s] of editor.states ?? []) if (s.startTime && !s.endTime && editor.view.cards.has(c)) editor.view.refreshState(c);
    }, 1000);
    if (instance.eventsUrl) this.#stream(instance.eventsUrl);
  }
  stop() {
    this.#events?.close();
    clearInterval(this.#ticker);
  }
  /** @param {string} url */
  #stream(url) {
    const es = new EventSource(url);
    this.#events = es;
    const take = (/** @type {MessageEvent} */ e) => {
      try {
        const d = JSON.parse(e.data);
        this.take(d.states ?? (d.taskCode ? { [d.taskCode]: d } : d));
      } catch {
        // Not a state message.
      }
    };
    es.addEventListener('message', take);
    es.addEventListener('ti.state', take);
    es.addEventListener('states', take);
  }
  /** @param {Record<string, RunState>} change */
  take(change) {
    const { editor } = this;
    if (!editor.states) {
      editor.states = new Map();
      editor.view.ctx.states = editor.states;
      editor.view.refresh();
    }
    for (const [key, s] of Object.entries(change)) {
      const code = Number(key);
      if (!editor.model.tasks.has(code)) continue;
      const before = editor.states.get(code);
      editor.states.set(code, { ...before, ...s });
      editor.view.refreshState(code);
      if (before?.state !== s.state && look(s.state).kind === 'failed') editor.say(`${editor.model.tasks.get(code)?.name}: ${t(look(s.state).label)}`);
      if (editor.panel.code === code && !editor.panel.el.contains(document.activeElement)) editor.panel.render();
    }
    editor.minimap.changed();
    editor.toolbar.updateLegend();
    if (editor.list.open) editor.list.render();
  }
  /** @param {string} kind @returns {boolean} */
  jump(kind) {
    const { editor } = this;
    if (!editor.states) return false;
    const all = ofKind(editor, kind);
    if (!all.length) return false;
    const cur = [...editor.view.selected].at(-1);
    const next = all[(cur === undefined ? 0 : all.indexOf(cur) + 1) % all.length];
    editor.openTask(next);
    editor.say(editor.view.describe(next));
    return true;
  }
}
