// @ts-check
import { t } from '../messages.js';
import { say } from './toast.js';

/**
 * Copies data-copy, or the text of the element whose id is in data-copy-from.
 * @param {HTMLElement} el
 */
export function copy(el) {
  el.addEventListener('click', async () => {
    const from = el.dataset.copyFrom ? document.getElementById(el.dataset.copyFrom) : null;
    const text = el.dataset.copy ?? from?.textContent ?? '';
    try {
      await navigator.clipboard.writeText(text);
      say(t('js.copied'), 'success');
    } catch {
      say(t('js.copy_failed'), 'error');
    }
  });
}
