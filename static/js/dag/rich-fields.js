// @ts-check
/**
 * Controls for what a task names outside its workflow (a file, a data source, an alert group) and for lists of texts and
 * of rows.
 * @typedef {import('./fields.js').Control} Control
 * @typedef {import('./types.js').Field} Field
 * @typedef {import('./types.js').TaskParams} TaskParams
 * @typedef {import('./lookup.js').Source} Source
 */
import { t } from '../messages.js';
import { combo } from './combo.js';
import { h, iconButton, uid } from './dom.js';
import { code, rows } from './fields.js';
import { addButton, removeButton } from './logic-fields.js';

/** The name in the value of a field that is one file. @param {any} value */
export const fileOf = (value) => String((typeof value === 'string' ? value : (value?.resourceName ?? value?.res)) ?? '');

/** The value of such a field with another name; what else it holds stays. @param {any} value @param {string} name */
export function withFile(value, name) {
  const { resourceName: _, res: __, ...rest } = value && typeof value === 'object' ? value : {};
  if (!name && !Object.keys(rest).length) return null;
  return { ...rest, resourceName: name };
}

/** One file of the resource center. @param {Field} field @param {Control} c @param {any} common */
export function resource(field, c, common) {
  const listId = uid('res');
  const send = (/** @type {any} */ e, /** @type {boolean} */ typing) => c.change(withFile(c.value, e.target.value), typing);
  const input = h('input.input', {
    ...common, type: 'text', autocomplete: 'off', spellcheck: 'false', placeholder: field.placeholder, value: fileOf(c.value), list: c.resources?.length ? listId : false,
    oninput: (/** @type {any} */ e) => send(e, true), onchange: (/** @type {any} */ e) => send(e, false),
  });
  return h('div.dag-child', null, input, c.resources?.length ? h('datalist', { id: listId }, ...c.resources.map((r) => h('option', { value: r }))) : null);
}

/**
 * The types of data source that a field takes at the moment; none is any.
 * @param {Field} field @param {TaskParams} params @param {Field[]} fields those of the task
 * @returns {string[]}
 */
export function typesOf(field, params, fields) {
  if (!field.of) return field.sourceTypes ?? [];
  const of = fields.find((f) => f.name === field.of);
  const type = params[field.of] ?? (of?.alias ? params[of.alias] : undefined) ?? of?.default ?? '';
  return type === '' ? [] : [String(type)];
}

/** @param {string} a @param {string} b */
const same = (a, b) => a.toUpperCase() === b.toUpperCase();

/** The sources of the types whose names contain the text. @param {Source[]} all @param {string[]} types @param {string} query */
export function offered(all, types, query) {
  const text = query.trim().toLowerCase();
  return all.filter((s) => (!types.length || types.some((x) => same(x, s.type))) && s.name.toLowerCase().includes(text));
}

/** @typedef {{key: string, text: string, note: string, icon: string}} Offer */

/**
 * An object that is known by a number: what is chosen, a list to choose from, and a link to make another one.
 * @param {Field} field @param {Control} c @param {string} test @param {string} id
 * @param {{icon: string, choose: string, none: string, fresh: string, freshURL?: string, find(query: string): Promise<Offer[] | null>,
 *   name(id: number): Promise<{text: string, missing: boolean} | null>}} opt `find` and `name` answer null when nothing could be asked
 */
function pick(field, c, test, id, opt) {
  const editor = /** @type {import('./editor.js').DagEditor} */ (c.editor);
  const empty = h('span.mut', { hidden: true, role: 'status', 'data-test': `${test}.none` }, opt.none);
  let value = c.value;
  const number = () => Number(value) || 0;
  const shown = () => (number() ? `#${number()}` : typeof value === 'string' && value !== '0' ? value : '');
  const el = combo({
    host: editor.overlay, id, test, label: field.label, placeholder: opt.choose, disabled: c.readOnly, text: shown(),
    find: async (q) => {
      const found = (await opt.find(q)) ?? [];
      if (!q.trim() && found.length) empty.hidden = true;
      const none = !field.required && !q.trim() && shown() ? [{ key: '', text: t('js.editor.pick.none'), note: '', icon: 'x' }] : [];
      return [...none, ...found.slice(0, 100)];
    },
    choose: (key) => {
      value = key ? Number(key) : null;
      c.change(value, false);
      void name();
    },
  });
  const link = opt.freshURL && !c.readOnly ? h('a.link', { href: opt.freshURL, target: '_blank', rel: 'noopener', 'data-test': `${test}.new` }, opt.fresh) : null;
  const name = async () => {
    const mine = value;
    el.say(shown());
    const found = number() ? await opt.name(number()) : null;
    if (mine === value && found) el.say(found.text, found.missing);
    if (!number() && !c.readOnly) empty.hidden = ((await opt.find('')) ?? ['unknown']).length > 0;
    else empty.hidden = true;
  };
  void name();
  return h('div.dag-child', null, el, h('div.row', null, empty, link));
}

/** A data source. @param {Field} field @param {Control} c @param {string} test @param {string} id */
export function source(field, c, test, id) {
  const editor = /** @type {import('./editor.js').DagEditor} */ (c.editor);
  const task = () => editor.model.tasks.get(c.code ?? 0);
  const types = () => {
    const now = task();
    return typesOf(field, now?.taskParams ?? {}, now ? editor.types.get(now.taskType).fields : []);
  };
  const only = types();
  const fresh = editor.data.urls.newSource;
  return pick(field, c, test, id, {
    icon: 'data', choose: t('js.editor.source.choose'), none: t('js.editor.source.none'), fresh: t('js.editor.source.new'),
    freshURL: fresh && only.length === 1 ? `${fresh}?type=${encodeURIComponent(only[0])}` : fresh,
    find: async (q) => {
      const all = await editor.lookup.sources();
      return all && offered(all, types(), q).map((s) => ({ key: String(s.id), text: s.name, note: s.label, icon: 'data' }));
    },
    name: async (number) => {
      const all = await editor.lookup.sources();
      if (!all) return null;
      const found = all.find((s) => s.id === number);
      if (!found) return { text: t('js.editor.pick.gone', { id: number }), missing: true };
      return offered([found], types(), '').length ? { text: found.name, missing: false } : { text: t('js.editor.source.otherType', { name: found.name, type: found.label }), missing: true };
    },
  });
}

/** An alert group. @param {Field} field @param {Control} c @param {string} test @param {string} id */
export function alertGroup(field, c, test, id) {
  const editor = /** @type {import('./editor.js').DagEditor} */ (c.editor);
  return pick(field, c, test, id, {
    icon: 'siren', choose: t('js.editor.alertGroup.choose'), none: t('js.editor.alertGroup.none'), fresh: t('js.editor.alertGroup.new'),
    freshURL: editor.data.urls.newAlertGroup,
    find: async (q) => {
      const all = await editor.lookup.alertGroups();
      const text = q.trim().toLowerCase();
      return all && all.filter((g) => g.name.toLowerCase().includes(text)).map((g) => ({ key: String(g.id), text: g.name, note: '', icon: 'siren' }));
    },
    name: async (number) => {
      const all = await editor.lookup.alertGroups();
      if (!all) return null;
      const found = all.find((g) => g.id === number);
      return found ? { text: found.name, missing: false } : { text: t('js.editor.pick.gone', { id: number }), missing: true };
    },
  });
}

/** The list with entry i one place up or down; the same list when there is no such place. @template T @param {T[]} list @param {number} i @param {-1 | 1} by */
export function moved(list, i, by) {
  const to = i + by;
  if (i < 0 || to < 0 || i >= list.length || to >= list.length) return list;
  const out = [...list];
  [out[i], out[to]] = [out[to], out[i]];
  return out;
}

/** The texts in the value of a field of several; one text counts, too. @param {any} value @returns {string[]} */
export const textsOf = (value) => (Array.isArray(value) ? value.map((x) => String(x ?? '')) : typeof value === 'string' && value ? [value] : []);

/** Texts of several lines, in an order. @param {Field} field @param {Control} c @param {string} test */
export function texts(field, c, test) {
  let list = textsOf(c.value);
  const body = h('div.dag-texts-body');
  const el = h('div.dag-rows', { 'data-test': test, role: 'group', 'aria-label': field.label }, body);
  const send = (/** @type {boolean} */ typing) => c.change([...list], typing);
  const focus = (/** @type {string} */ what) => /** @type {HTMLElement | null} */ (el.querySelector(`[data-test="${test}.${what}"]`))?.focus();
  const move = (/** @type {number} */ i, /** @type {-1 | 1} */ by) => {
    list = moved(list, i, by);
    render();
    send(false);
    const at = i + by;
    focus(by < 0 ? (at > 0 ? `${at}.up` : `${at}.down`) : at < list.length - 1 ? `${at}.down` : `${at}.up`);
  };
  const row = (/** @type {string} */ text, /** @type {number} */ i) => {
    const label = t('js.editor.texts.nth', { field: field.label, n: i + 1 });
    const change = (/** @type {string} */ v, /** @type {boolean} */ typing) => {
      list[i] = v;
      send(typing);
    };
    const common = { 'data-test': `${test}.${i}`, 'aria-label': label, disabled: c.readOnly };
    return h('div.dag-text', null,
      h('div.row', null, h('span.grow.mut', { 'aria-hidden': 'true' }, String(i + 1)),
        i && !c.readOnly ? iconButton(t('js.editor.texts.up', { n: i + 1 }), 'up', () => move(i, -1), { 'data-test': `${test}.${i}.up` }) : null,
        i < list.length - 1 && !c.readOnly ? iconButton(t('js.editor.texts.down', { n: i + 1 }), 'down', () => move(i, 1), { 'data-test': `${test}.${i}.down` }) : null,
        removeButton(c, 'js.editor.row.remove', i + 1, () => {
          list = list.filter((_, k) => k !== i);
          render();
          send(false);
          focus(list.length ? `${Math.min(i, list.length - 1)}.remove` : 'add');
        }, `${test}.${i}.remove`)),
      field.language
        ? code({ ...field, label }, { ...c, change }, { ...common, rows: 4 }, text)
        : h('textarea.input.mono', {
            ...common, rows: 3, spellcheck: 'false', placeholder: field.placeholder, value: text,
            oninput: (/** @type {any} */ e) => change(e.target.value, true), onchange: (/** @type {any} */ e) => change(e.target.value, false),
          }));
  };
  const render = () => body.replaceChildren(...list.map(row));
  render();
  if (!c.readOnly) {
    el.append(addButton(t('js.editor.texts.add'), `${test}.add`, () => {
      list = [...list, ''];
      render();
      send(false);
      const last = /** @type {any} */ (body.lastElementChild);
      const editor = last?.querySelector('code-field');
      if (editor?.focusEditor) editor.focusEditor();
      else last?.querySelector('textarea')?.focus();
    }));
  } else if (!list.length) el.append(h('p.hint', null, t('js.editor.none')));
  return el;
}

/** Rows with the columns of the description. @param {Field} field @param {Control} c @param {string} test */
export function table(field, c, test) {
  const columns = (field.columns ?? []).map((col) => ({ key: col.name, label: col.label, options: col.options }));
  const fresh = Object.fromEntries(columns.map((col) => [col.key, col.options?.[0]?.value ?? '']));
  const el = rows(c, test, columns, fresh);
  el.setAttribute('role', 'group');
  el.setAttribute('aria-label', field.label);
  el.dataset.kind = 'table';
  return el;
}
