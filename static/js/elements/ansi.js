// @ts-check
/**
 * Terminal colours in log text. Only colours and bold, dim, italic, underline are kept; every other escape sequence is
 * dropped. The result is data, never HTML.
 * @typedef {{text: string, fg?: string, bg?: string, bold?: boolean, dim?: boolean, italic?: boolean, underline?: boolean}} Run
 *   `fg` and `bg` are `0`-`15` for theme colours, else `#rrggbb`
 */

// Control sequences (with parameters and a final letter), operating system commands, and other two-character escapes.
const ESCAPE = /\x1b(?:\[([\d;:<=>?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_]|[ -/]+[0-~])/g;
const OTHER_CONTROLS = /[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]/g;

/** @param {number} n */
const hex = (n) => Math.max(0, Math.min(255, n | 0)).toString(16).padStart(2, '0');

/** Colour of the 256-colour table. @param {number} n @returns {string} */
export function colour256(n) {
  if (n < 16) return String(n);
  if (n >= 232) return `#${hex(8 + (n - 232) * 10).repeat(3)}`;
  const i = n - 16;
  const level = (/** @type {number} */ v) => (v ? 55 + v * 40 : 0);
  return `#${hex(level(Math.floor(i / 36)))}${hex(level(Math.floor(i / 6) % 6))}${hex(level(i % 6))}`;
}

/** Text without any escape sequence. @param {string} line */
export const plain = (line) => (line.includes('\x1b') ? line.replace(ESCAPE, '') : line).replace(OTHER_CONTROLS, '');

/** @param {string} line @returns {Run[]} */
export function parse(line) {
  if (!line.includes('\x1b')) return [{ text: line.replace(OTHER_CONTROLS, '') }];
  /** @type {Run[]} */
  const out = [];
  /** @type {Omit<Run, 'text'>} */
  let style = {};
  let at = 0;
  const put = (/** @type {string} */ text) => {
    text = text.replace(/\x1b/g, '').replace(OTHER_CONTROLS, '');
    if (text) out.push({ text, ...style });
  };
  ESCAPE.lastIndex = 0;
  for (let m = ESCAPE.exec(line); m; m = ESCAPE.exec(line)) {
    put(line.slice(at, m.index));
    at = ESCAPE.lastIndex;
    if (m[2] === 'm') style = graphics(style, m[1]);
  }
  put(line.slice(at));
  return out;
}

/** @param {Omit<Run, 'text'>} style @param {string} params @returns {Omit<Run, 'text'>} */
function graphics(style, params) {
  let s = { ...style };
  const codes = params === '' ? [0] : params.split(/[;:]/).map((x) => (x === '' ? 0 : Number(x)));
  for (let i = 0; i < codes.length; i++) {
    const c = codes[i];
    if (c === 0) s = {};
    else if (c === 1) s.bold = true;
    else if (c === 2) s.dim = true;
    else if (c === 3) s.italic = true;
    else if (c === 4) s.underline = true;
    else if (c === 22) delete s.bold, delete s.dim;
    else if (c === 23) delete s.italic;
    else if (c === 24) delete s.underline;
    else if (c >= 30 && c <= 37) s.fg = String(c - 30);
    else if (c === 39) delete s.fg;
    else if (c >= 40 && c <= 47) s.bg = String(c - 40);
    else if (c === 49) delete s.bg;
    else if (c >= 90 && c <= 97) s.fg = String(c - 82);
    else if (c >= 100 && c <= 107) s.bg = String(c - 92);
    else if (c === 38 || c === 48) {
      const key = c === 38 ? 'fg' : 'bg';
      if (codes[i + 1] === 5 && codes[i + 2] >= 0 && codes[i + 2] < 256) s[key] = colour256(codes[i + 2]);
      else if (codes[i + 1] === 2 && codes.length > i + 4) s[key] = `#${hex(codes[i + 2])}${hex(codes[i + 3])}${hex(codes[i + 4])}`;
      i += codes[i + 1] === 5 ? 2 : codes[i + 1] === 2 ? 4 : 1;
    }
  }
  return s;
}

const LEVEL = /(?:^|[\s[(|:])(ERROR|FATAL|SEVERE|CRITICAL|WARN|WARNING|INFO|NOTICE|DEBUG|TRACE)(?=$|[\s\])|:,])/;
const TRACEBACK = /^(Traceback |Caused by: |Exception in thread |[\w.$]+(Error|Exception)(:|$)|panic: |fatal: |bash: .*: command not found)/;

/** Level of a line: error, warn, info, debug, or ''. @param {string} line @returns {'error' | 'warn' | 'info' | 'debug' | ''} */
export function level(line) {
  const head = plain(line.length > 200 ? line.slice(0, 200) : line);
  const word = LEVEL.exec(head)?.[1];
  if (!word) return TRACEBACK.test(head.trimStart()) ? 'error' : '';
  if (word === 'WARN' || word === 'WARNING') return 'warn';
  if (word === 'INFO' || word === 'NOTICE') return 'info';
  if (word === 'DEBUG' || word === 'TRACE') return 'debug';
  return 'error';
}
