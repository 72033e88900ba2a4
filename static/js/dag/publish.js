// @ts-check
/**
 * Saving, publishing, running and exporting: what the editor says to the server besides the draft, and the questions
 * that come back when somebody else has been faster.
 * @typedef {import('./editor.js').DagEditor} DagEditor
 * @typedef {import('./types.js').Problem} Problem
 */
import { t } from '../messages.js';
import { ApiError, call } from './api.js';
import { ask, dialog, saveDialog } from './dialogs.js';
import { h } from './dom.js';

/** @param {DagEditor} e */
export async function draftConflict(e) {
  const answer = await ask(e.overlay, t('js.editor.draftConflict'), t('js.editor.draftConflict.text'), [
    { label: t('js.editor.theirs'), value: 'theirs', test: 'conflict.theirs' },
    { label: t('js.editor.overwrite'), value: 'mine', primary: true, test: 'conflict.mine' },
  ]);
  if (answer === 'mine') return e.draft.overwrite();
  if (answer === 'theirs') {
    e.draft.paused = true;
    e.draft.published(e.draft.baseVersion);
    return location.reload();
  }
  e.banner('conflict', t('js.editor.banner.conflict'), h('button.btn.sm', { type: 'button', onclick: () => {
    e.banner('conflict', null);
    void draftConflict(e);
  } }, t('js.editor.banner.decide')));
}

/** Save a version, asking for name and message. @param {DagEditor} e @param {boolean} online @param {boolean} [close] */
export async function save(e, online, close = false) {
  if (e.readOnly) return;
  await e.yaml.flush();
  if (e.yaml.broken) return e.toast(t('js.yaml.bad', { count: e.yaml.problems.length }));
  const v = await saveDialog(e, online);
  if (!v) return;
  e.model.setMeta({ name: v.name, description: v.description, timeout: v.timeout, executionType: v.executionType });
  await publish(e, v.message, v.online, close, e.draft.baseVersion);
}

/** @param {DagEditor} e @param {string} message @param {boolean} online @param {boolean} close @param {number} baseVersion */
async function publish(e, message, online, close, baseVersion) {
  await e.draft.flush();
  const at = e.model.revision;
  try {
    const res = await call('POST', e.data.urls.save ?? '', { baseVersion, definition: { ...e.data.definition, ...e.model.toDefinition() }, message, online });
    const created = !e.data.definition.code;
    Object.assign(e.data.definition, { code: res.code, version: res.version, releaseState: res.releaseState });
    e.draft.published(res.version);
    if (e.model.revision !== at) e.draft.touch();
    for (const k of ['stale', 'signedOut', 'failed']) e.banner(k, null);
    e.serverProblems = [];
    e.check();
    e.problemPanel.toggle(false);
    if (res.urls) Object.assign(e.data.urls, res.urls);
    if (created && res.url) history.replaceState(history.state, '', res.url);
    rename(e.model.meta.name);
    e.toolbar.update();
    e.say(t('js.editor.said.saved', { version: res.version }));
    e.toastOk(t('js.editor.said.saved', { version: res.version }));
    if (close && e.closeUrl()) location.href = e.closeUrl();
  } catch (err) {
    await saveFailed(e, err, message, online, close);
  }
}

/** The page around the canvas was drawn before the save. @param {string} name */
function rename(name) {
  const crumb = /** @type {HTMLElement | null} */ (document.querySelector('.crumbs [aria-current="page"]'));
  if (!crumb) return;
  document.title = document.title.replace(crumb.textContent ?? '', () => name);
  crumb.textContent = name;
  crumb.title = name;
}

/** @param {DagEditor} e @param {unknown} err @param {string} message @param {boolean} online @param {boolean} close */
async function saveFailed(e, err, message, online, close) {
  if (!(err instanceof ApiError)) throw err;
  if (err.status === 422) {
    e.serverProblems = (err.body.problems ?? []).map((/** @type {Problem} */ p) => ({ ...p, severity: p.severity || 'error' }));
    e.check();
    e.problemPanel.el.hidden = false;
    e.problemPanel.render();
    e.toast(err.message);
    if (e.serverProblems[0]) e.goToProblem(e.serverProblems[0]);
    return;
  }
  const current = err.body.current;
  if (err.status !== 409 || !current) return e.failed(err);
  const when = new Date(current.savedAt);
  const text = t('js.editor.saveConflict.text', { version: current.version, user: current.savedBy ?? '', time: Number.isNaN(+when) ? '' : when.toLocaleString(document.documentElement.lang || 'en') });
  const theirs = e.data.urls.versions && e.draft.baseVersion ? `${e.data.urls.versions}/compare?old=${e.draft.baseVersion}&new=${current.version}` : '';
  const answer = await dialog(e.overlay, t('js.editor.saveConflict'), [h('p', null, text), theirs ? h('p', null, h('a.link', { href: theirs, target: '_blank', rel: 'noopener', 'data-test': 'conflict.compare' }, t('js.yaml.theirs'))) : null], [
    { label: t('js.editor.cancel'), value: '', test: 'conflict.cancel' },
    { label: t('js.editor.theirs'), value: 'theirs', test: 'conflict.theirs' },
    { label: t('js.editor.mine'), value: 'mine', primary: true, test: 'conflict.mine' },
  ], { test: 'editor.ask' });
  if (answer === 'mine') return publish(e, message, online, close, current.version);
  if (answer !== 'theirs') return;
  await e.draft.discard().catch((problem) => e.failed(problem));
  e.draft.paused = false;
  if (!current.definition) return location.reload();
  e.data.definition = { ...e.data.definition, ...current.definition, version: current.version };
  e.model.load(e.data.definition);
  e.draft.published(current.version);
  await e.arrange();
}

/** @param {DagEditor} e */
export async function discardDraft(e) {
  const answer = await ask(e.overlay, t('js.editor.discard'), t('js.editor.discard.text'), [
    { label: t('js.editor.cancel'), value: '', test: 'discard.cancel' },
    { label: t('js.editor.discard'), value: 'yes', primary: true, test: 'discard.confirm' },
  ]);
  if (!answer) return;
  try {
    await e.draft.discard();
    e.draft.published(e.data.definition.version);
    location.reload();
  } catch (err) {
    e.draft.paused = false;
    e.failed(err);
  }
}

/**
 * Name what depends on the workflow before it goes offline. The server decides; this only says it beforehand.
 * @param {DagEditor} e @returns {Promise<boolean>}
 */
async function mayGoOffline(e) {
  if (!e.data.urls.dependants) return true;
  /** @type {{label: string, url?: string, note: string, blocks: boolean}[]} */
  let all = [];
  try {
    all = (await call('GET', e.data.urls.dependants)).dependants;
  } catch {
    return true; // the server will refuse what must not be
  }
  if (!all.length) return true;
  const blocked = all.some((d) => d.blocks);
  const list = h('ul.dag-known', null, ...all.map((d) => h('li', null,
    d.url ? h('a.link', { href: d.url, target: '_blank', rel: 'noopener' }, d.label) : h('span', null, d.label), h('span.mut', null, d.note))));
  const answer = await dialog(e.overlay, t(blocked ? 'js.editor.offline.refused' : 'js.editor.offline.ask'), [h('p', null, t(blocked ? 'js.editor.offline.refused.text' : 'js.editor.offline.ask.text')), list], blocked ? [
    { label: t('js.editor.close'), value: '', primary: true, test: 'offline.close' },
  ] : [
    { label: t('js.editor.cancel'), value: '', test: 'offline.cancel' }, { label: t('js.editor.offline'), value: 'yes', primary: true, test: 'offline.confirm' },
  ], { test: 'editor.offlineDialog' });
  return answer === 'yes';
}

/** @param {DagEditor} e */
export async function toggleRelease(e) {
  const { definition, urls } = e.data;
  if (!definition.code) return;
  const online = definition.releaseState === 'ONLINE';
  if (online && !(await mayGoOffline(e))) return;
  try {
    const res = await call('POST', (online ? urls.offline : urls.online) ?? '', {});
    definition.releaseState = res.releaseState;
    e.toolbar.update();
    e.say(t(res.releaseState === 'ONLINE' ? 'js.editor.tag.online' : 'js.editor.tag.offline', { version: definition.version }));
  } catch (err) {
    e.failed(err);
  }
}

/** Open the run dialog, for a part of the graph when a task is given. @param {DagEditor} e @param {number} [code] @param {string} [depend] */
export async function openRun(e, code, depend) {
  if (!e.data.urls.run || e.data.definition.releaseState !== 'ONLINE') return;
  const url = new URL(e.data.urls.run, location.href);
  if (code !== undefined) {
    url.searchParams.set('startNode', String(code));
    url.searchParams.set('depend', depend ?? 'TASK_POST');
  }
  show(url.pathname + url.search);
}

/** Open the dialog that starts a streaming task by itself. @param {DagEditor} e @param {number} code */
export function openStream(e, code) {
  if (!mayStream(e)) return;
  show((e.data.urls.stream ?? '').replace('{task}', String(code)));
}

/** Whether a streaming task can be started here. @param {DagEditor} e */
export const mayStream = (e) => !!e.data.urls.stream && !e.data.instance && e.data.definition.releaseState === 'ONLINE';

/** Show a page of the server in the dialog. @param {string} address */
function show(address) {
  const htmx = /** @type {any} */ (globalThis).htmx;
  if (htmx?.ajax && document.querySelector('#dialog')) htmx.ajax('GET', address, '#dialog');
  else location.href = address;
}

/** @param {DagEditor} e */
export function exportJson(e) {
  const text = JSON.stringify({ ...e.data.definition, ...e.model.toDefinition() }, null, 2);
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const a = h('a', { href: url, download: `${e.model.meta.name || 'workflow'}.json` });
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
