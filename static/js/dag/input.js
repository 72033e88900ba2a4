// @ts-check
/** Keys and the clipboard: which command a stroke is, and where it counts. */
import { COMMANDS, pasteText } from './commands.js';
import { snap } from './geometry.js';
import { GLOBAL, command } from './keys.js';

/** @typedef {import('./editor.js').DagEditor} DagEditor */

export class Input {
  /** @param {DagEditor} editor @param {AbortSignal} signal */
  constructor(editor, signal) {
    this.editor = editor;
    const { stage } = editor.view;
    stage.addEventListener('keydown', (/** @type {KeyboardEvent} */ e) => this.#key(e), { signal });
    stage.addEventListener('keyup', (/** @type {KeyboardEvent} */ e) => e.key === ' ' && this.#space(false), { signal });
    stage.addEventListener('blur', () => this.#space(false), { signal });
    document.addEventListener('keydown', (e) => this.#globalKey(e), { signal });
    document.addEventListener('pointermove', (e) => (editor.pointer = { x: e.clientX, y: e.clientY }), { signal, passive: true });
    document.addEventListener('copy', (e) => this.#clipboard(e), { signal });
    document.addEventListener('cut', (e) => this.#clipboard(e), { signal });
    document.addEventListener('paste', (e) => this.#clipboard(e), { signal });
  }
  /** @param {KeyboardEvent} e */
  #key(e) {
    const { editor } = this;
    if (e.defaultPrevented || e.isComposing) return;
    editor.view.stage.removeAttribute('data-pointer');
    if (e.key === ' ') {
      e.preventDefault();
      return this.#space(true);
    }
    if (e.key === 'Tab' && !e.ctrlKey && !e.altKey && !e.metaKey) return this.#tab(e);
    const name = command(e);
    if (!name || (name === 'paste' && !e.altKey)) return; // the paste event carries the text without asking for permission
    if (name === 'copy' || name === 'cut') return; // so do copy and cut
    e.preventDefault();
    e.stopPropagation();
    editor.walked = name === 'escape';
    void editor.run(name, e);
  }
  /** Tab walks the tasks; past the last one, or after Escape, it leaves the canvas. @param {KeyboardEvent} e */
  #tab(e) {
    const { editor } = this;
    if (editor.walked) {
      editor.walked = false;
      return;
    }
    const order = editor.order();
    const cur = [...editor.view.selected].at(-1);
    const i = cur === undefined ? (e.shiftKey ? order.length : -1) : order.indexOf(cur);
    const next = order[i + (e.shiftKey ? -1 : 1)];
    if (next === undefined) return;
    e.preventDefault();
    editor.walkTo(next);
  }
  /** @param {boolean} down */
  #space(down) {
    this.editor.pointers.space = down;
    this.editor.view.stage.toggleAttribute('data-space', down);
  }
  /** @param {KeyboardEvent} e */
  #globalKey(e) {
    if (e.defaultPrevented || document.querySelector('dialog[open]')) return;
    const name = command(e);
    if (!name || !GLOBAL.has(name)) return;
    const inText = /** @type {Element} */ (e.target).closest?.('input, textarea, [contenteditable="true"]');
    if (inText && (name === 'undo' || name === 'redo' || (name === 'search' && inText.closest('.cm-editor')))) return;
    e.preventDefault();
    void this.editor.run(name, e);
  }
  /** Copy, cut and paste by the browser's own events. @param {ClipboardEvent} e */
  #clipboard(e) {
    const { editor } = this;
    const { view } = editor;
    const active = document.activeElement;
    if (document.querySelector('dialog[open]') || !(active === view.stage || active === document.body)) return;
    if (e.type === 'paste') {
      const text = e.clipboardData?.getData('text/plain') ?? '';
      if (editor.readOnly || (!text.includes('dorado/tasks') && !editor.clip)) return;
      e.preventDefault();
      const r = view.rect();
      const { pointer } = editor;
      const over = pointer && pointer.x > r.left && pointer.x < r.right && pointer.y > r.top && pointer.y < r.bottom;
      const p = over && pointer ? view.toGraph(pointer.x, pointer.y) : null;
      void pasteText(editor, text.includes('dorado/tasks') ? text : editor.clip, p ? { x: snap(p.x), y: snap(p.y) } : null);
      return;
    }
    if (!view.selected.size || (e.type === 'cut' && editor.readOnly)) return;
    void COMMANDS.copy(editor);
    e.clipboardData?.setData('text/plain', editor.clip);
    e.preventDefault();
    if (e.type === 'cut') editor.model.remove(view.selected, [], 'cut');
  }
}
