// @ts-check
/**
 * Task states as the server names them, with the look of each: a colour family, an icon of its own shape, a word.
 * @typedef {'success' | 'running' | 'failed' | 'waiting' | 'paused' | 'stopped' | 'retry' | 'skipped' | 'none'} Kind
 * @typedef {{kind: Kind, icon: string, label: string}} Look
 */

/** @type {Record<string, Look>} */
const LOOKS = {
  SUBMITTED_SUCCESS: { kind: 'waiting', icon: 's-waiting', label: 'js.editor.state.submitted' },
  DELAY_EXECUTION: { kind: 'waiting', icon: 's-waiting', label: 'js.editor.state.delayed' },
  DISPATCH: { kind: 'waiting', icon: 's-waiting', label: 'js.editor.state.dispatched' },
  RUNNING_EXECUTION: { kind: 'running', icon: 's-running', label: 'js.editor.state.running' },
  PAUSE: { kind: 'paused', icon: 's-paused', label: 'js.editor.state.paused' },
  KILL: { kind: 'stopped', icon: 's-stopped', label: 'js.editor.state.killed' },
  STOP: { kind: 'stopped', icon: 's-stopped', label: 'js.editor.state.stopped' },
  FAILURE: { kind: 'failed', icon: 's-failed', label: 'js.editor.state.failed' },
  NEED_FAULT_TOLERANCE: { kind: 'retry', icon: 's-retry', label: 'js.editor.state.failover' },
  SUCCESS: { kind: 'success', icon: 's-success', label: 'js.editor.state.success' },
  FORCED_SUCCESS: { kind: 'success', icon: 's-success', label: 'js.editor.state.forced' },
  SKIPPED: { kind: 'skipped', icon: 's-skipped', label: 'js.editor.state.skipped' },
};
/** @type {Look} */
const NONE = { kind: 'none', icon: 's-none', label: 'js.editor.state.none' };

/** Order of the counters in the legend. @type {Kind[]} */
export const KINDS = ['failed', 'retry', 'running', 'waiting', 'paused', 'stopped', 'success', 'skipped', 'none'];

/** @type {Record<Kind, Look>} */
export const KIND_LOOK = {
  failed: { ...LOOKS.FAILURE },
  retry: { kind: 'retry', icon: 's-retry', label: 'js.editor.state.failover' },
  running: { ...LOOKS.RUNNING_EXECUTION },
  waiting: { kind: 'waiting', icon: 's-waiting', label: 'js.editor.state.waiting' },
  paused: { ...LOOKS.PAUSE },
  stopped: { ...LOOKS.STOP },
  success: { ...LOOKS.SUCCESS },
  skipped: { ...LOOKS.SKIPPED },
  none: NONE,
};

/** @param {string | undefined} state @returns {Look} */
export const look = (state) => (state && LOOKS[state]) || NONE;

/**
 * Name of the colour of an edge in a run: what runs after it, or how what is before it ended.
 * @param {Map<number, import('./types.js').RunState> | null} states @param {import('./types.js').Relation} e
 */
export function edgeColour(states, e) {
  if (!states) return 'edge';
  if (look(states.get(e.postTaskCode)?.state).kind === 'running') return 'running';
  const before = look(states.get(e.preTaskCode)?.state).kind;
  return before === 'success' || before === 'failed' ? before : 'edge';
}

/**
 * Length of a time in the short form of the product: 7ms, 41s, 6m 41s, 1h 03m.
 * @param {number} ms
 */
export function duration(ms) {
  if (ms > 0 && ms < 1000) return `${Math.round(ms)}ms`;
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${String(s % 60).padStart(2, '0')}s`;
  return `${Math.floor(s / 3600)}h ${String(Math.floor((s % 3600) / 60)).padStart(2, '0')}m`;
}

/** @param {{startTime?: string, endTime?: string}} s @param {number} now @returns {string} */
export function ran(s, now) {
  const start = Date.parse(s.startTime ?? '');
  if (Number.isNaN(start)) return '';
  const end = Date.parse(s.endTime ?? '');
  return duration((Number.isNaN(end) ? now : end) - start);
}
