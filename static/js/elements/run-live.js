// @ts-check
/**
 * The page of a run: hands the states that arrive in the page's event stream to the canvas, and shows the task that is
 * chosen there in the panel beside it.
 */

/** @typedef {HTMLElement & {view?: EventTarget & {selected: Set<number>}}} Canvas */

const canvas = /** @type {Canvas | null} */ (document.querySelector('dag-editor'));
const panel = document.querySelector('[data-panel-url]');

// htmx passes a named event on with its data as text; the canvas wants the states of tasks by code.
document.addEventListener('dag-states', (e) => {
  const data = /** @type {CustomEvent} */ (e).detail?.data;
  if (typeof data !== 'string') return;
  try {
    const { tasks } = JSON.parse(data);
    if (tasks) document.dispatchEvent(new CustomEvent('dag-states', { detail: tasks }));
  } catch {
    // Not a message of ours.
  }
});

let shown = 0;

/** @param {number} code */
async function show(code) {
  if (!panel || code === shown) return;
  shown = code;
  const res = await fetch(`${/** @type {HTMLElement} */ (panel).dataset.panelUrl}?code=${code}`, {
    headers: { 'HX-Request': 'true', 'HX-Request-Type': 'partial', 'HX-Target': 'div#run-task', Accept: 'text/html' },
    credentials: 'same-origin',
  }).catch(() => null);
  if (!res?.ok || code !== shown) return;
  panel.innerHTML = await res.text(); // our own page's part, escaped by the server
  /** @type {any} */ (globalThis).htmx?.process(panel);
  // On a narrow screen the panel lies below the graph: who chose a task there is led to the answer.
  if (canvas?.contains(document.activeElement)) panel.querySelector('.run-panel-head')?.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
  const address = new URL(location.href);
  address.searchParams.set('task', String(code)); // a copied link opens the same task
  history.replaceState(history.state, '', address);
}

function watch() {
  const view = canvas?.view;
  if (!view) return;
  view.addEventListener('select', () => {
    const [code] = view.selected;
    if (view.selected.size === 1 && code !== undefined) void show(code);
  });
  const [code] = view.selected; // the canvas chooses a failed task by itself
  if (view.selected.size === 1 && code !== undefined) void show(code);
}

if (canvas) void customElements.whenDefined('dag-editor').then(() => requestAnimationFrame(watch));
