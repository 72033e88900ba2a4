// @ts-check
/**
 * A Quartz expression as the choices of a form, and back; without the DOM. What an expression means is the server's to
 * say: this only takes apart what the builder can show, and calls everything else "text".
 */

/** @typedef {{second: string, minute: string, hour: string, day: string, month: string, week: string, year: string}} Parts */
/** @typedef {{mode: string, n?: number, a?: number, b?: number, values?: number[], text?: string}} Choice */
/** @typedef {'second' | 'minute' | 'hour' | 'day' | 'month' | 'year'} Unit */

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** The tabs of the builder. */
export const UNITS = /** @type {Unit[]} */ (['second', 'minute', 'hour', 'day', 'month', 'year']);

/**
 * The fields of an expression of six or seven; null for anything else.
 * @param {string} text
 * @returns {Parts | null}
 */
export function split(text) {
  const words = text.trim().toUpperCase().split(/\s+/);
  if (words.length !== 6 && words.length !== 7) return null;
  const [second, minute, hour, day, month, week, year = '*'] = words;
  return /** @type {Parts} */ ({ second, minute, hour, day, month, week, year });
}

/** @param {Parts} p */
export const join = (p) => [p.second, p.minute, p.hour, p.day, p.month, p.week, p.year].join(' ');

/**
 * What is written in the field or fields of a tab.
 * @param {Unit} unit
 * @param {Parts} p
 */
export function written(unit, p) {
  if (unit !== 'day') return p[unit];
  if (p.week === '?') return p.day;
  return p.day === '?' ? p.week : `${p.day} ${p.week}`;
}

/**
 * The value of a number or name, NaN when it is neither.
 * @param {string} text
 * @param {string[]} names
 * @param {number} first value of the first name
 */
function value(text, names, first) {
  const n = names.indexOf(text);
  if (n >= 0) return n + first;
  return /^\d{1,4}$/.test(text) ? Number(text) : NaN;
}

/**
 * The choice that a field of numbers is.
 * @param {string} text
 * @param {string[]} names
 * @param {number} lo
 * @returns {Choice}
 */
function simple(text, names, lo) {
  if (text === '*') return { mode: 'every' };
  const step = /^(\*|\w+)?\/(\d+)$/.exec(text);
  if (step) {
    const a = step[1] === undefined || step[1] === '*' ? lo : value(step[1], names, lo);
    if (!Number.isNaN(a)) return { mode: 'step', a, n: Number(step[2]) };
  }
  const range = /^(\w+)-(\w+)$/.exec(text);
  if (range) {
    const [a, b] = [value(range[1] ?? '', names, lo), value(range[2] ?? '', names, lo)];
    if (!Number.isNaN(a + b)) return { mode: 'range', a, b };
  }
  const values = text.split(',').map((v) => value(v, names, lo));
  return values.some(Number.isNaN) ? { mode: 'text', text } : { mode: 'list', values };
}

/**
 * The weekdays of a list with ranges; null when it holds anything else.
 * @param {string} text
 */
function weekdays(text) {
  /** @type {Set<number>} */
  const set = new Set();
  for (const part of text.split(',')) {
    const [a, b] = part.split('-').map((v) => value(v, DAYS, 1));
    if (a === undefined || Number.isNaN(a) || (b !== undefined && Number.isNaN(b))) return null;
    for (let d = a; ; d = (d % 7) + 1) {
      set.add(d);
      if (d === (b ?? a) || set.size > 7) break;
    }
  }
  return [...set].sort((x, y) => x - y);
}

/**
 * @param {string} day
 * @param {string} week
 * @returns {Choice}
 */
function days(day, week) {
  if (week === '?') {
    if (day === 'L') return { mode: 'last' };
    if (day === 'LW') return { mode: 'lastwork' };
    const before = /^L-(\d+)$/.exec(day);
    if (before) return { mode: 'before', n: Number(before[1]) };
    const nearest = /^(\d+)W$/.exec(day);
    if (nearest) return { mode: 'nearest', a: Number(nearest[1]) };
    const c = simple(day, [], 1);
    return c.mode === 'range' ? { mode: 'text', text: day } : c;
  }
  if (day !== '?') return { mode: 'text', text: `${day} ${week}` };
  if (week === '*') return { mode: 'every' };
  const last = /^(\w+)L$/.exec(week);
  if (last && !Number.isNaN(value(last[1] ?? '', DAYS, 1))) return { mode: 'lastweekday', a: value(last[1] ?? '', DAYS, 1) };
  const nth = /^(\w+)#(\d)$/.exec(week);
  if (nth) return { mode: 'nth', a: value(nth[1] ?? '', DAYS, 1), n: Number(nth[2]) };
  const c = simple(week, DAYS, 1);
  if (c.mode === 'step') return { ...c, mode: 'weekstep' };
  const list = weekdays(week);
  return list ? { mode: 'weekdays', values: list } : { mode: 'text', text: week };
}

/**
 * The choice that a tab shows for an expression.
 * @param {Unit} unit
 * @param {Parts} p
 * @returns {Choice}
 */
export function decode(unit, p) {
  if (unit === 'day') return days(p.day, p.week);
  const lo = unit === 'month' ? 1 : unit === 'year' ? 1970 : 0;
  return simple(p[unit], unit === 'month' ? MONTHS : [], lo);
}

/**
 * Weekdays as text: three or more in a row as a range.
 * @param {number[]} values
 */
function weekText(values) {
  const list = [...values].sort((a, b) => a - b);
  const [first, last] = [list[0], list.at(-1)];
  if (first === undefined || last === undefined || list.length === 7) return '*';
  if (list.length > 2 && last - first === list.length - 1) return `${DAYS[first - 1]}-${DAYS[last - 1]}`;
  return list.map((d) => DAYS[d - 1]).join(',');
}

/**
 * The expression with a choice in a tab.
 * @param {Unit} unit
 * @param {Parts} p
 * @param {Choice} c
 * @returns {Parts}
 */
export function encode(unit, p, c) {
  const { n = 1, a = 0, b = 0, values = [], text = '' } = c;
  if (unit !== 'day') return { ...p, [unit]: simpleText(c, unit === 'year') };
  /** @param {string} day */
  const month = (day) => ({ ...p, day, week: '?' });
  /** @param {string} week */
  const week = (week) => ({ ...p, day: '?', week });
  switch (c.mode) {
    case 'last':
      return month('L');
    case 'lastwork':
      return month('LW');
    case 'before':
      return month(`L-${n}`);
    case 'nearest':
      return month(`${a}W`);
    case 'weekstep':
      return week(`${a}/${n}`);
    case 'weekdays': {
      const days = weekText(values);
      return days === '*' ? month('*') : week(days);
    }
    case 'lastweekday':
      return week(`${a}L`);
    case 'nth':
      return week(`${a}#${n}`);
    case 'text': {
      const [day = '*', days] = text.trim().toUpperCase().split(/\s+/);
      if (days !== undefined) return { ...p, day, week: days };
      return p.day === '?' ? week(day) : month(day);
    }
    default:
      return month(simpleText(c, false));
  }

  /**
   * @param {Choice} c
   * @param {boolean} plain the first value must be written out
   */
  function simpleText(c, plain) {
    switch (c.mode) {
      case 'step':
        return n === 1 && !plain && a <= (unit === 'day' || unit === 'month' ? 1 : 0) ? '*' : `${a}/${n}`;
      case 'range':
        return `${a}-${b}`;
      case 'list':
        return values.length ? [...values].sort((x, y) => x - y).join(',') : '*';
      case 'text':
        return text.trim().toUpperCase().replace(/\s+/g, '') || '*';
      default:
        return '*';
    }
  }
}
