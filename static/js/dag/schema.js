// @ts-check
/**
 * The server describes the form of each task type; this file answers what follows from the description.
 * @typedef {import('./types.js').Field} Field
 * @typedef {import('./types.js').When} When
 * @typedef {import('./types.js').TaskType} TaskType
 * @typedef {import('./types.js').Task} Task
 * @typedef {import('./types.js').TaskParams} TaskParams
 */

/** Tasks of a type the server does not know keep their parameters; the form shows only the common fields. */
const UNKNOWN = (/** @type {string} */ type) => ({ type, category: 'other', label: type, icon: 'square-dashed', aliases: [], retryable: true, fields: [] });

export class Types {
  /** @param {{types: TaskType[]} | undefined} schema */
  constructor(schema) {
    this.all = schema?.types ?? [];
    this.byName = new Map(this.all.flatMap((x) => [x.type, ...(x.also ?? [])].map((name) => [name, x])));
  }
  /** @param {string} type @returns {TaskType} */
  get(type) {
    return this.byName.get(type) ?? UNKNOWN(type);
  }
  /** @param {string} type */
  label(type) {
    return this.byName.get(type)?.label ?? type;
  }
}

/** An object in settings; a text is one in JSON. @param {any} value @returns {Record<string, any> | undefined} */
function unpacked(value) {
  if (typeof value !== 'string') return value ?? undefined;
  try {
    const object = JSON.parse(value);
    return object && typeof object === 'object' && !Array.isArray(object) ? object : undefined;
  } catch {
    return undefined;
  }
}

/** What a field holds; the name "a.b" is the member b of the object a. @param {TaskParams | undefined} params @param {string} name @returns {any} */
export function valueOf(params, name) {
  const dot = name.indexOf('.');
  return dot < 0 ? params?.[name] : unpacked(params?.[name.slice(0, dot)])?.[name.slice(dot + 1)];
}

/** Settings in which one field holds another value; everything else stays, and what is a text stays one. @param {TaskParams | undefined} params @param {string} name @param {any} value @returns {TaskParams} */
export function withValue(params, name, value) {
  const dot = name.indexOf('.');
  if (dot < 0) return { ...params, [name]: value };
  const object = name.slice(0, dot);
  const now = { ...unpacked(params?.[object]), [name.slice(dot + 1)]: value };
  return { ...params, [object]: typeof params?.[object] === 'string' ? JSON.stringify(now) : now };
}

/** @param {When | undefined} when @param {TaskParams} params */
function holds(when, params) {
  for (let w = when; w; w = w.and) if (!w.in.map(String).includes(String(valueOf(params, w.field) ?? w.otherwise ?? ''))) return false;
  return true;
}

/** @param {Field} field @param {TaskParams} params */
export const visible = (field, params) => holds(field.visibleWhen, params);

/** A choice field with what it offers at the moment. @param {Field} field @param {TaskParams} params @returns {Field} */
export function offering(field, params) {
  return field.options?.some((o) => o.when) ? { ...field, options: field.options.filter((o) => holds(o.when, params)) } : field;
}

/**
 * Settings as they are kept after one field was changed: a choice that is offered no longer gives way to the first that is,
 * and a text that holds an object has the members of the fields that are shown, beside those that no field is for.
 * @param {TaskType} type @param {TaskParams} params @returns {TaskParams}
 */
export function tidy(type, params) {
  let out = params;
  for (const f of type.fields) {
    const options = offering(f, out).options;
    const value = valueOf(out, f.name) ?? f.default;
    if (options !== f.options && visible(f, out) && options?.length && !isReference(value) && !options.some((o) => o.value === value)) out = withValue(out, f.name, options[0].value);
  }
  const objects = new Set(type.fields.filter((f) => f.packed).map((f) => f.name.split('.')[0]));
  for (const object of objects) {
    const mine = type.fields.filter((f) => f.packed && f.name.startsWith(`${object}.`));
    if (!mine.some((f) => visible(f, out))) continue; // the settings are of another kind altogether
    const now = { ...unpacked(out[object]) };
    for (const f of mine) {
      const member = f.name.slice(object.length + 1);
      if (!visible(f, out)) delete now[member];
      else if (f.sameAs) now[member] = valueOf(out, f.sameAs);
      else if (now[member] === undefined && f.default !== undefined && f.default !== null) now[member] = structuredClone(f.default);
    }
    out = { ...out, [object]: JSON.stringify(now) };
  }
  return out;
}

/** @param {TaskType} type @returns {TaskParams} */
export function defaults(type) {
  /** @type {TaskParams} */
  let params = type.logic ? { localParams: [] } : { localParams: [], resourceList: [] };
  for (const f of type.fields) if (!f.packed && f.default !== undefined && f.default !== null) params = withValue(params, f.name, structuredClone(f.default));
  return tidy(type, params);
}

/**
 * A new task as the server takes it.
 * @param {TaskType} type @param {number} code @param {string} name @returns {Task}
 */
export function newTask(type, code, name) {
  return {
    code,
    version: 0,
    name,
    description: '',
    taskType: type.type,
    taskParams: defaults(type),
    flag: 'YES',
    isCache: 'NO',
    taskPriority: 'MEDIUM',
    workerGroup: 'default',
    environmentCode: -1,
    failRetryTimes: 0,
    failRetryInterval: 1,
    timeoutFlag: 'CLOSE',
    timeoutNotifyStrategy: '',
    timeout: 0,
    delayTime: 0,
    taskGroupId: 0,
    taskGroupPriority: 0,
    cpuQuota: -1,
    memoryMax: -1,
    taskExecuteType: type.stream ? 'STREAM' : 'BATCH',
  };
}

/** What a project suggests for new tasks; for logic tasks only what they have. @param {import('./types.js').Task} task @param {TaskType} type @param {Partial<import('./types.js').Task> | undefined} wishes */
export function preferred(task, type, wishes = {}) {
  const out = { ...task };
  if (wishes.taskPriority) out.taskPriority = wishes.taskPriority;
  if (type.retryable !== false) {
    if (wishes.failRetryTimes) out.failRetryTimes = wishes.failRetryTimes;
    if (wishes.failRetryInterval) out.failRetryInterval = wishes.failRetryInterval;
  }
  if (type.logic) return out;
  if (wishes.workerGroup) out.workerGroup = wishes.workerGroup;
  if (wishes.environmentCode && wishes.environmentCode > 0) out.environmentCode = wishes.environmentCode;
  if (wishes.cpuQuota) out.cpuQuota = wishes.cpuQuota;
  if (wishes.memoryMax) out.memoryMax = wishes.memoryMax;
  return out;
}

/** @param {any} v */
const empty = (v) => v === undefined || v === null || v === '' || (typeof v === 'string' && !v.trim()) || (Array.isArray(v) && !v.length);

/** Where a list of choices among other tasks or workflows stands in a value. @type {Record<string, (v: any) => any>} */
const INSIDE = {
  workflow: (v) => Number(v) || '',
  conditions: (v) => v.dependTaskList,
  dependence: (v) => v.dependTaskList,
  resource: (v) => (typeof v === 'string' ? v : (v.resourceName ?? v.res)),
  source: (v) => (isReference(v) ? v : Number(v) || ''),
  alertgroup: (v) => (isReference(v) ? v : Number(v) || ''),
};

/**
 * What is wrong with one field: a message key with arguments, or null.
 * @param {Field} field @param {TaskParams} params @returns {{key: string, args?: Record<string, any>} | null}
 */
export function problem(field, params) {
  if (field.sameAs || !visible(field, params)) return null;
  const v = valueOf(params, field.name) ?? (field.alias ? valueOf(params, field.alias) : undefined);
  if (empty(v) || empty(INSIDE[field.type] ? INSIDE[field.type](v) : v)) return field.required ? { key: 'js.editor.problem.required', args: { field: field.label } } : null;
  if (field.type === 'number' && !isReference(v)) {
    const n = Number(v);
    if (!Number.isFinite(n)) return { key: 'js.editor.problem.number', args: { field: field.label } };
    if (field.min !== undefined && n < field.min) return { key: 'js.editor.problem.min', args: { field: field.label, min: field.min } };
    if (field.max !== undefined && n > field.max) return { key: 'js.editor.problem.max', args: { field: field.label, max: field.max } };
  }
  if (field.type === 'select' && field.options?.length && !isReference(v) && !field.options.some((o) => String(o.value) === String(v))) {
    return { key: 'js.editor.problem.option', args: { field: field.label } };
  }
  return null;
}

/** A parameter like ${dt} may stand where a number or an option is expected. @param {any} v */
const isReference = (v) => typeof v === 'string' && /\$[{[]/.test(v);
