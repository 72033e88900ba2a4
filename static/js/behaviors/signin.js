// @ts-check
// Signing in again over the page, when the session has ended under it. The page
// stays as it is, with all that was typed; nothing is sent a second time.
import { t } from '../messages.js';
import { say } from './toast.js';

const QUIET = 60_000; // ms without asking again after the reader closed the dialog

/** @type {HTMLDialogElement | null} */
let open = null;
let closedAt = -QUIET;

/** @param {string} html the sign-in page with its complaint @returns {string} */
function complaint(html) {
  const note = new DOMParser().parseFromString(html, 'text/html').querySelector('.note .grow');
  return note?.textContent?.trim() || t('js.sign_in.failed');
}

/**
 * @param {string} name @param {string} label @param {Record<string, string>} attrs
 * @returns {{row: HTMLElement, input: HTMLInputElement}}
 */
function field(name, label, attrs) {
  const row = document.createElement('div');
  row.className = 'field';
  const caption = document.createElement('label');
  caption.htmlFor = `sign-in-${name}`;
  caption.textContent = label;
  const input = document.createElement('input');
  input.className = 'input';
  input.id = `sign-in-${name}`;
  input.name = name;
  input.required = true;
  for (const [key, value] of Object.entries(attrs)) input.setAttribute(key, value);
  row.append(caption, input);
  return { row, input };
}

/** @param {string} text @param {string} kind @param {'button' | 'submit'} type */
function button(text, kind, type) {
  const el = document.createElement('button');
  el.type = type;
  el.className = `btn ${kind}`.trim();
  el.textContent = text;
  return el;
}

/**
 * Opens the dialog. @param {string} url of the sign-in page, for those who sign in by other means than a password
 */
export function askToSignIn(url) {
  if (open) return;
  const shown = document.querySelector('.account-menu .who b')?.textContent ?? '';
  const box = document.createElement('dialog');
  box.className = 'dialog';
  box.setAttribute('aria-labelledby', 'sign-in-title');
  box.dataset.test = 'sign-in';
  const form = document.createElement('form');
  form.className = 'form-body';
  const head = document.createElement('div');
  head.className = 'form-head';
  const title = document.createElement('h1');
  title.className = 'dialog-title';
  title.id = 'sign-in-title';
  title.textContent = t('js.sign_in.title');
  head.append(title);
  const text = document.createElement('p');
  text.textContent = t('js.sign_in.text');
  const error = document.createElement('p');
  error.className = 'err';
  error.setAttribute('role', 'alert');
  error.hidden = true;
  const name = field('username', t('js.sign_in.name'), { autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', value: shown, 'data-test': 'sign-in.name' });
  const secret = field('password', t('js.sign_in.password'), { type: 'password', autocomplete: 'current-password', 'data-test': 'sign-in.password' });
  const other = document.createElement('a');
  other.className = 'link';
  other.href = url;
  other.target = '_blank';
  other.rel = 'noopener';
  other.textContent = t('js.sign_in.other');
  const fields = document.createElement('div');
  fields.className = 'form-scroll';
  fields.append(text, error, name.row, secret.row, other);
  const cancel = button(t('js.sign_in.cancel'), '', 'button');
  const submit = button(t('js.sign_in.submit'), 'primary', 'submit');
  submit.dataset.test = 'sign-in.submit';
  const foot = document.createElement('div');
  foot.className = 'form-foot';
  foot.append(cancel, submit);
  form.append(head, fields, foot);
  box.append(form);
  document.body.append(box);

  cancel.addEventListener('click', () => box.close());
  box.addEventListener('close', () => {
    closedAt = performance.now();
    open = null;
    box.remove();
  });
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    if (submit.getAttribute('aria-busy')) return;
    submit.setAttribute('aria-busy', 'true');
    error.hidden = true;
    try {
      const body = new URLSearchParams({ username: name.input.value, password: secret.input.value, next: '/home' });
      const res = await fetch('/login', { method: 'POST', body, redirect: 'manual', credentials: 'same-origin' });
      if (res.type !== 'opaqueredirect') throw new Error(complaint(await res.text()));
      box.close();
      if (shown && name.input.value !== shown) return location.reload(); // the page is somebody else's
      document.dispatchEvent(new CustomEvent('signed-in'));
      say(t('js.sign_in.done'));
    } catch (err) {
      error.textContent = err instanceof Error && !(err instanceof TypeError) ? err.message : t('js.network');
      error.hidden = false;
      secret.input.select();
    } finally {
      submit.removeAttribute('aria-busy');
    }
  });
  open = box;
  box.showModal();
  (shown ? secret : name).input.focus();
}

/** Requests whose answer was that nobody is signed in any more. */
export function watchSession() {
  document.addEventListener('sign-in', (e) => {
    const { url, asked } = /** @type {CustomEvent} */ (e).detail ?? {};
    if (!asked && performance.now() - closedAt < QUIET) return;
    askToSignIn(url || '/login');
  });
}
