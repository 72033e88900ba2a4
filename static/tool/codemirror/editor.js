// The one entry of the vendored code editor. <code-field> imports it on demand:
//
//   const cm = await import(new URL('../../vendor/codemirror/editor.js', import.meta.url));
//   const view = new cm.EditorView({ doc, parent, extensions: [cm.basics(), await cm.language('sql')] });
//
// Colours come from our own style sheet: tokens get the classes tok-keyword,
// tok-string and so on (css/components/code.css).
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  indentOnInput,
  indentUnit,
  StreamLanguage,
  syntaxHighlighting,
} from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { EditorState } from '@codemirror/state';
import {
  crosshairCursor,
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  rectangularSelection,
} from '@codemirror/view';
import { classHighlighter } from '@lezer/highlight';

export { autocompletion, completeFromList } from '@codemirror/autocomplete';
export { indentWithTab } from '@codemirror/commands';
export { lintGutter, linter, setDiagnostics } from '@codemirror/lint';
export { openSearchPanel, search } from '@codemirror/search';
export { Compartment, EditorState, StateEffect } from '@codemirror/state';
export { Decoration, EditorView, keymap, lineNumbers, placeholder, ViewPlugin } from '@codemirror/view';

/** What every code field has: lines, history, brackets, search, completion, folding. */
export function basics() {
  return [
    lineNumbers(),
    highlightActiveLineGutter(),
    highlightSpecialChars(),
    history(),
    foldGutter(),
    drawSelection(),
    dropCursor(),
    EditorState.allowMultipleSelections.of(true),
    indentOnInput(),
    indentUnit.of('    '),
    syntaxHighlighting(classHighlighter, { fallback: true }),
    bracketMatching(),
    closeBrackets(),
    autocompletion(),
    rectangularSelection(),
    crosshairCursor(),
    highlightActiveLine(),
    highlightSelectionMatches(),
    EditorView.lineWrapping,
    keymap.of([
      ...closeBracketsKeymap,
      ...defaultKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...foldKeymap,
      ...completionKeymap,
      ...lintKeymap,
    ]),
  ];
}

const languages = {
  shell: async () => StreamLanguage.define((await import('@codemirror/legacy-modes/mode/shell')).shell),
  python: async () => (await import('@codemirror/lang-python')).python(),
  sql: async () => (await import('@codemirror/lang-sql')).sql(),
  json: async () => (await import('@codemirror/lang-json')).json(),
  yaml: async () => (await import('@codemirror/lang-yaml')).yaml(),
};

/**
 * The extension for a language, loaded when first asked for: shell, python, sql,
 * json or yaml. Any other name gives plain text.
 */
export async function language(name) {
  return Object.hasOwn(languages, name) ? languages[name]() : [];
}
