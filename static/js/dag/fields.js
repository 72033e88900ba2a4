// @ts-check
/**
 * Form controls for the inspector, one per kind of field of the server's form schema. Each control reports its value as
 * the JSON the server stores; `typing` says that more of the same will follow, so that undo takes it as one step.
 * @typedef {import('./types.js').Field} Field
 * @typedef {{value: any, readOnly: boolean, change(value: any, typing: boolean): void, problem?: string,
 *   resources?: string[], names?: () => {name: string, source: string}[], editor?: import('./editor.js').DagEditor,
 *   code?: number}} Control  `editor` and `code` tell fields about other tasks where they are
 */
import { t } from '../messages.js';
import { dependence } from './dependence-field.js';
import { h, icon, iconButton, uid } from './dom.js';
import { cases, conditions, outcomes, workflowPick } from './logic-fields.js';
import { alertGroup, resource, source, table, texts } from './rich-fields.js';

export const PARAM_TYPES = ['VARCHAR', 'INTEGER', 'LONG', 'FLOAT', 'DOUBLE', 'DATE', 'TIME', 'TIMESTAMP', 'BOOLEAN', 'LIST', 'FILE'];

/**
 * A labelled control.
 * @param {Field} field @param {Control} c
 */
export function fieldRow(field, c) {
  const id = uid('f');
  const control = build(field, c, id);
  const ids = [];
  const parts = [];
  if (field.help) {
    ids.push(`${id}-help`);
    parts.push(h('p.hint', { id: `${id}-help` }, field.help));
  }
  const error = h('p.hint.error', { id: `${id}-error`, role: 'alert', hidden: !c.problem }, c.problem ?? '');
  ids.push(`${id}-error`);
  const target = control.id === id ? control : (control.querySelector(`[id="${id}"]`) ?? control);
  target.setAttribute('aria-describedby', ids.join(' '));
  if (c.problem) target.setAttribute('aria-invalid', 'true');
  const mark = field.required ? h('span.req', { 'aria-hidden': 'true' }, ' *') : null;
  const row = field.type === 'switch'
    ? h('div.field.switch-row', null, h('label', { for: id }, field.label), control, ...parts, error)
    : h('div.field', null, target === control || target.id === id ? h('label', { for: id, id: `${id}-label` }, field.label, mark) : h('span.lbl', { id: `${id}-label` }, field.label, mark), control, ...parts, error);
  row.dataset.field = field.name;
  return row;
}

/** Show or take away the message under a field. @param {HTMLElement} row @param {string} text @param {boolean} [mild] it keeps nothing from being saved */
export function setProblem(row, text, mild = false) {
  const error = /** @type {HTMLElement | null} */ (row.querySelector('.error'));
  if (!error) return;
  error.textContent = text;
  error.hidden = !text;
  error.toggleAttribute('data-mild', mild);
  const target = row.querySelector('[aria-describedby]');
  if (text && !mild) target?.setAttribute('aria-invalid', 'true');
  else target?.removeAttribute('aria-invalid');
}

/** @param {Field} field @param {Control} c @param {string} id @returns {HTMLElement} */
function build(field, c, id) {
  const test = `field.${field.name}`;
  const common = { id, name: field.name, 'data-test': test, disabled: c.readOnly, 'aria-required': field.required ? 'true' : false };
  const text = c.value === undefined || c.value === null ? '' : String(c.value);
  switch (field.type) {
    case 'textarea':
      return h('textarea.input', { ...common, rows: 4, placeholder: field.placeholder, value: text, oninput: typed, onchange: done });
    case 'code':
      return code(field, c, common, text);
    case 'number':
      return h('input.input.num', { ...common, type: 'text', inputmode: 'numeric', placeholder: field.placeholder, value: text, oninput: (/** @type {any} */ e) => c.change(number(e.target.value), true), onchange: (/** @type {any} */ e) => c.change(number(e.target.value), false) });
    case 'secret':
      return h('input.input', { ...common, type: 'password', autocomplete: 'new-password', placeholder: field.placeholder, value: text, oninput: typed, onchange: done });
    case 'switch': {
      const asText = typeof c.value === 'string';
      return h('input.toggle', { ...common, type: 'checkbox', role: 'switch', checked: c.value === true || c.value === 'true', onchange: (/** @type {any} */ e) => c.change(asText ? String(e.target.checked) : e.target.checked, false) });
    }
    case 'select':
      return select(field, c, common, text);
    case 'multiselect':
      return multi(field, c, test);
    case 'keyvalues':
      return rows(c, test, [{ key: 'key', label: t('js.editor.param.key') }, { key: 'value', label: t('js.editor.param.value') }], { key: '', value: '' });
    case 'params':
      return params(c, test);
    case 'resources':
      return resources(c, test);
    case 'workflow':
      return workflowPick(field, c, test, id);
    case 'outcomes':
      return outcomes(field, c, test);
    case 'conditions':
      return conditions(field, c, test);
    case 'cases':
      return cases(field, c, test);
    case 'dependence':
      return dependence(field, c, test);
    case 'lists':
      return rows(c, test, [
        { key: 'name', label: t('js.editor.param.name') }, { key: 'value', label: t('js.editor.logic.values') }, { key: 'separator', label: t('js.editor.logic.separator') },
      ], { name: '', value: '', separator: ',' });
    case 'resource':
      return resource(field, c, common);
    case 'source':
      return source(field, c, test, id);
    case 'alertgroup':
      return alertGroup(field, c, test, id);
    case 'texts':
      return texts(field, c, test);
    case 'table':
      return table(field, c, test);
    default:
      return h('input.input', { ...common, type: 'text', placeholder: field.placeholder, value: text, oninput: typed, onchange: done });
  }
  function typed(/** @type {any} */ e) {
    c.change(e.target.value, true);
  }
  function done(/** @type {any} */ e) {
    c.change(e.target.value, false);
  }
}

/** A number when it is one; references like ${n} stay text. @param {string} text */
function number(text) {
  const s = text.trim();
  return s !== '' && Number.isFinite(Number(s)) ? Number(s) : s;
}

/** @param {Field} field @param {Control} c @param {any} common @param {string} text */
function select(field, c, common, text) {
  const known = field.options ?? [];
  const list = known.some((o) => String(o.value) === text) ? known : [{ value: text, label: text || t('js.editor.choose') }, ...known];
  const el = h('select.input', { ...common, onchange: (/** @type {any} */ e) => c.change(typeof c.value === 'number' ? Number(e.target.value) : e.target.value, false) },
    ...list.map((o) => h('option', { value: String(o.value) }, o.label)));
  el.value = text;
  return el;
}

/** @param {Field} field @param {Control} c @param {any} common @param {string} text */
export function code(field, c, common, text) {
  const area = h('textarea.input.mono', { rows: 12, ...common, spellcheck: 'false', value: text });
  area.addEventListener('input', () => c.change(area.value, true));
  area.addEventListener('change', () => c.change(area.value, false));
  const el = h('code-field', { language: field.language ?? 'text', label: field.label, readonly: c.readOnly }, area);
  el.names = c.names;
  return el;
}

/** @param {Field} field @param {Control} c @param {string} test */
function multi(field, c, test) {
  const chosen = new Set((Array.isArray(c.value) ? c.value : []).map(String));
  return h('div.checks', { role: 'group', 'aria-label': field.label, 'data-test': test },
    ...(field.options ?? []).map((o) => h('label', null,
      h('input.check', { type: 'checkbox', value: o.value, checked: chosen.has(String(o.value)), disabled: c.readOnly, onchange: (/** @type {any} */ e) => {
        if (e.target.checked) chosen.add(String(o.value));
        else chosen.delete(String(o.value));
        c.change((field.options ?? []).map((x) => x.value).filter((v) => chosen.has(String(v))), false);
      } }), ' ', o.label)));
}

/**
 * Rows of a table with a button to add and one to take away.
 * @param {Control} c @param {string} test
 * @param {{key: string, label: string, options?: (string | {value: string, label: string})[], narrow?: boolean, max?: number}[]} columns
 * @param {Record<string, any>} fresh a new row
 * @param {(row: Record<string, any>) => string} [hint] what to say below a row, '' for nothing
 */
export function rows(c, test, columns, fresh, hint) {
  /** @type {Record<string, any>[]} */
  let list = Array.isArray(c.value) ? c.value.map((r) => ({ ...r })) : [];
  const body = h('div.dag-rows-body');
  const el = h('div.dag-rows', { 'data-test': test }, body);
  const send = (/** @type {boolean} */ typing) => c.change(list.map((r) => ({ ...r })), typing);
  const render = () => {
    body.replaceChildren(...list.flatMap((row, i) => {
      const below = hint ? h('p.hint', { 'data-test': `${test}.${i}.hint`, hidden: !hint(row) }, hint(row)) : null;
      const cells = columns.map((col) => {
        const attrs = { 'aria-label': `${col.label} ${i + 1}`, 'data-test': `${test}.${i}.${col.key}`, disabled: c.readOnly };
        if (col.options) {
          const options = col.options.map((o) => (typeof o === 'string' ? { value: o, label: o } : o));
          const value = String(row[col.key] ?? options[0]?.value ?? '');
          if (!options.some((o) => o.value === value)) options.unshift({ value, label: value || t('js.editor.choose') });
          const s = h('select.input', { ...attrs, onchange: (/** @type {any} */ e) => {
            list[i] = { ...list[i], [col.key]: e.target.value };
            if (below) {
              below.textContent = hint?.(list[i]) ?? '';
              below.hidden = !below.textContent;
            }
            send(false);
          } }, ...options.map((o) => h('option', { value: o.value }, o.label)));
          s.value = value;
          return s;
        }
        return h('input.input', { ...attrs, type: 'text', placeholder: col.label, maxlength: col.max ?? false, value: String(row[col.key] ?? ''), oninput: (/** @type {any} */ e) => {
          list[i] = { ...list[i], [col.key]: e.target.value };
          send(true);
        } });
      });
      const del = c.readOnly ? null : iconButton(t('js.editor.row.remove', { n: i + 1 }), 'x', () => {
        list = list.filter((_, k) => k !== i);
        render();
        send(false);
      });
      return [h('div.dag-row', { 'data-columns': String(columns.length) }, ...cells, del), ...(below ? [below] : [])];
    }));
  };
  render();
  if (!c.readOnly) {
    el.append(h('button.btn.sm.ghost', { type: 'button', 'data-test': `${test}.add`, onclick: () => {
      list = [...list, { ...fresh }];
      render();
      send(false);
      /** @type {HTMLElement | null} */ (body.querySelector('.dag-row:last-of-type')?.querySelector('input, select'))?.focus();
    } }, icon('plus'), t('js.editor.row.add')));
  }
  return el;
}

/** @param {Control} c @param {string} test */
export const params = (c, test) =>
  rows(c, test, [
    { key: 'prop', label: t('js.editor.param.name') },
    { key: 'direct', label: t('js.editor.param.direct'), options: ['IN', 'OUT'] },
    { key: 'type', label: t('js.editor.param.type'), options: PARAM_TYPES },
    { key: 'value', label: t('js.editor.param.value') },
  ], { prop: '', direct: 'IN', type: 'VARCHAR', value: '' }, fileHint);

/** What a parameter of the type FILE is about; other types explain themselves. @param {Record<string, any>} row */
const fileHint = (row) => (row.type !== 'FILE' ? '' : t(row.direct === 'OUT' ? 'js.editor.param.file_out' : 'js.editor.param.file_in'));

/** Names of files in the resource centre. @param {Control} c @param {string} test */
function resources(c, test) {
  const listId = uid('res');
  const el = rows({ ...c, value: Array.isArray(c.value) ? c.value : [] }, test, [{ key: 'resourceName', label: t('js.editor.param.file') }], { resourceName: '' });
  if (c.resources?.length) {
    el.append(h('datalist', { id: listId }, ...c.resources.map((r) => h('option', { value: r }))));
    const link = () => el.querySelectorAll('input').forEach((/** @type {Element} */ i) => i.setAttribute('list', listId));
    link();
    new MutationObserver(link).observe(el, { childList: true, subtree: true });
  }
  return el;
}
