// @ts-check
/**
 * Keys of the canvas. Single letters act only while the canvas has the focus, so they never fire inside a field.
 * @typedef {{key: string, ctrlKey?: boolean, metaKey?: boolean, shiftKey?: boolean, altKey?: boolean}} Stroke
 */

/** What each key does, as shown in the shortcut list. @type {[string, string][]} keys, message */
export const SHORTCUTS = [
  ['A', 'js.editor.key.add'],
  ['C', 'js.editor.key.connect'],
  ['M', 'js.editor.key.move'],
  ['Enter', 'js.editor.key.edit'],
  ['Del', 'js.editor.key.delete'],
  ['← → ↑ ↓', 'js.editor.key.walk'],
  ['Tab', 'js.editor.key.tab'],
  ['Alt ← → ↑ ↓', 'js.editor.key.nudge'],
  ['Ctrl Z', 'js.editor.key.undo'],
  ['Ctrl Shift Z', 'js.editor.key.redo'],
  ['Ctrl C / X / V / D', 'js.editor.key.clipboard'],
  ['Ctrl A', 'js.editor.key.selectAll'],
  ['Ctrl S', 'js.editor.key.saveDraft'],
  ['Ctrl Shift S', 'js.editor.key.save'],
  ['Ctrl F', 'js.editor.key.search'],
  ['+  −  0  1', 'js.editor.key.zoom'],
  ['Shift L', 'js.editor.key.layout'],
  ['Shift F', 'js.editor.key.fullscreen'],
  ['N', 'js.editor.key.nextFailed'],
  ['L', 'js.editor.key.log'],
  ['Esc', 'js.editor.key.escape'],
  ['?', 'js.editor.key.help'],
];

/** @type {Record<string, string>} */
const PLAIN = {
  a: 'quickAdd', c: 'connect', m: 'moveMode', n: 'nextFailed', l: 'openLog', enter: 'activate', delete: 'delete', backspace: 'delete',
  escape: 'escape', '+': 'zoomIn', '=': 'zoomIn', '-': 'zoomOut', _: 'zoomOut', 0: 'fit', 1: 'zoomOne', '?': 'help', f11: 'fullscreen',
  arrowleft: 'left', arrowright: 'right', arrowup: 'up', arrowdown: 'down', contextmenu: 'menu', home: 'first', end: 'last',
};
/** @type {Record<string, string>} */
const WITH_CTRL = {
  z: 'undo', y: 'redo', c: 'copy', x: 'cut', v: 'paste', d: 'duplicate', a: 'selectAll', s: 'saveDraft', f: 'search', 0: 'fit', 1: 'zoomOne',
  '+': 'zoomIn', '=': 'zoomIn', '-': 'zoomOut',
};
/** @type {Record<string, string>} */
const WITH_CTRL_SHIFT = { z: 'redo', s: 'save' };
/** @type {Record<string, string>} */
const WITH_SHIFT = { l: 'layout', f: 'fullscreen', f10: 'menu' };

/** The commands that change the workflow, refused in read-only mode. */
export const EDITS = new Set(['quickAdd', 'connect', 'moveMode', 'delete', 'undo', 'redo', 'cut', 'paste', 'duplicate', 'saveDraft', 'save', 'layout']);

/** These work from everywhere on the page, not only on the canvas. */
export const GLOBAL = new Set(['undo', 'redo', 'saveDraft', 'save', 'search']);

/** The command of a key stroke, or null. @param {Stroke} e @returns {string | null} */
export function command(e) {
  const key = e.key.toLowerCase();
  if (e.ctrlKey || e.metaKey) {
    if (e.altKey) return null;
    return (e.shiftKey ? WITH_CTRL_SHIFT[key] : WITH_CTRL[key]) ?? null;
  }
  if (e.shiftKey && WITH_SHIFT[key]) return WITH_SHIFT[key];
  if (key.startsWith('arrow')) return PLAIN[key] ?? null;
  if (e.altKey) return null;
  if (e.shiftKey && /^[a-z0-9]$/.test(key)) return null;
  return PLAIN[key] ?? null;
}
