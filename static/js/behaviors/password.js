// @ts-check
import { icon, t } from '../messages.js';

/**
 * Shows and hides a password, and says when Caps Lock is on.
 * @param {HTMLElement} el
 */
export function password(el) {
  const input = /** @type {HTMLInputElement} */ (el.querySelector('input'));
  const button = /** @type {HTMLButtonElement} */ (el.querySelector('button'));
  button.addEventListener('click', () => {
    const shown = input.type === 'password';
    input.type = shown ? 'text' : 'password';
    button.setAttribute('aria-pressed', String(shown));
    button.setAttribute('aria-label', t(shown ? 'js.password.hide' : 'js.password.show'));
    button.replaceChildren(icon(shown ? 'eye-off' : 'eye'));
    input.focus();
  });
  const note = el.closest('.field')?.querySelector('[data-caps]');
  input.addEventListener('keyup', (e) => {
    if (note) note.textContent = e.getModifierState?.('CapsLock') ? t('js.caps_lock') : '';
  });
  // A password typed in plain sight goes out as a password again, so that the
  // browser offers to keep it and does not remember it as ordinary text.
  input.form?.addEventListener('submit', () => {
    input.type = 'password';
  });
}
