// @ts-check
const places = {
  h: () => document.querySelector('.brand'),
  p: () => document.querySelector('[data-test="shell.project"], .nav a[href$="/projects"]'),
  w: () => document.querySelector('.nav a[href$="/workflows"]'),
  i: () => document.querySelector('.nav a[href$="/instances"]'),
};

/**
 * A button that shows the list of shortcuts.
 * @param {HTMLElement} el
 */
export function shortcuts(el) {
  el.addEventListener('click', () => {
    if (el.closest('[popover]')) /** @type {HTMLElement} */ (el.closest('[popover]')).hidePopover();
    showShortcuts();
  });
}

function showShortcuts() {
  const box = /** @type {HTMLDialogElement | null} */ (document.getElementById('shortcuts'));
  if (box && !box.open) box.showModal();
}

/** @param {EventTarget | null} target */
function typing(target) {
  return target instanceof Element && Boolean(target.closest('input, textarea, select, [contenteditable=true], .cm-editor, dag-editor'));
}

/** Keys of the whole page: "/" and Ctrl K to search, "?" for help, "g" then a letter to go somewhere. */
export function watchKeys() {
  let went = 0;
  document.addEventListener('keydown', (e) => {
    if (e.defaultPrevented || e.isComposing) return;
    const mod = e.ctrlKey || e.metaKey;
    if (mod && e.key.toLowerCase() === 'k' && focus('mod+k')) e.preventDefault();
    if (mod || e.altKey || typing(e.target) || document.querySelector('dialog[open]')) return;
    if (e.key === '/' && (focus('/') || focus('mod+k'))) e.preventDefault();
    if (e.key === '?') showShortcuts();
    if (e.key === 'g') {
      went = e.timeStamp;
      return;
    }
    if (e.timeStamp - went < 1500 && Object.hasOwn(places, e.key)) {
      const link = places[/** @type {keyof typeof places} */ (e.key)]();
      if (link instanceof HTMLElement) link.click();
    }
    went = 0;
  });
}

/** @param {string} keys */
function focus(keys) {
  const field = document.querySelector(`[data-shortcut="${keys}"]`);
  if (!(field instanceof HTMLInputElement) || field.offsetParent === null) return false;
  field.focus();
  field.select();
  return true;
}
