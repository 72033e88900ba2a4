// @ts-check
// The page of one endpoint: its form calls the endpoint with the reader's own session and shows the answer.
import { t } from './messages.js';

const shown = 200_000; // characters of an answer

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control */

/**
 * What a filled-in form asks for.
 * @param {string} method
 * @param {string} path
 * @param {Control[]} controls
 */
function request(method, path, controls) {
  const query = new URLSearchParams();
  const form = new URLSearchParams();
  const parts = new FormData();
  /** @type {Record<string, unknown>} */
  const members = {};
  /** @type {BodyInit | undefined} */
  let body;
  /** @type {Record<string, string>} */
  const headers = {};
  for (const c of controls) {
    const where = c.dataset.in ?? '';
    if (c instanceof HTMLInputElement && c.type === 'file') {
      const file = c.files?.[0];
      if (file) parts.append(c.name, file);
      continue;
    }
    if (where === 'path') {
      path = path.replace(`{${c.name}}`, encodeURIComponent(c.value));
      continue;
    }
    if (c.value === '' && !c.required) continue;
    if (where === 'query' || (where === 'json' && method === 'GET')) query.append(c.name, c.value);
    else if (where === 'form') form.append(c.name, c.value);
    else if (where === 'multipart') parts.append(c.name, c.value);
    else if (where === 'json') members[c.name] = 'number' in c.dataset && Number.isSafeInteger(Number(c.value)) ? Number(c.value) : c.value;
    else if (where === 'body') body = c.value;
  }
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  else if (Object.keys(members).length > 0) {
    headers['Content-Type'] = 'application/json';
    body = JSON.stringify(members);
  } else if ([...parts.keys()].length > 0) body = parts;
  else if ([...form.keys()].length > 0) body = form;
  const search = query.toString();
  return { url: path + (search ? `?${search}` : ''), init: { method, headers, body, redirect: /** @type {RequestRedirect} */ ('manual') } };
}

/** @param {Response} answer */
async function text(answer) {
  const raw = (await answer.text()).slice(0, shown);
  try {
    // Numbers stay as they were sent: the text is only indented, and shown when that changed nothing but white space.
    const pretty = JSON.stringify(JSON.parse(raw), null, 2);
    return pretty.replace(/\s/g, '').length === raw.replace(/\s/g, '').length ? pretty : raw;
  } catch {
    return raw;
  }
}

const form = document.getElementById('api-try');
if (form instanceof HTMLFormElement) {
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    const box = /** @type {HTMLElement} */ (document.getElementById('api-answer'));
    const status = /** @type {HTMLElement} */ (document.getElementById('api-status'));
    const out = /** @type {HTMLElement} */ (document.getElementById('api-text'));
    const controls = /** @type {Control[]} */ ([...form.elements].filter((c) => c instanceof HTMLElement && c.dataset.in));
    const { url, init } = request(form.dataset.method ?? 'GET', form.dataset.path ?? '', controls);
    box.hidden = false;
    status.textContent = '…';
    const start = performance.now();
    try {
      const answer = await fetch(url, init);
      out.textContent = await text(answer);
      status.textContent = `${init.method} ${url} · HTTP ${answer.status} · ${Math.round(performance.now() - start)} ms`;
    } catch {
      out.textContent = '';
      status.textContent = t('js.network');
    }
  });
}
