// @ts-check
// What every page loads: attaches behaviours to elements that ask for them by
// data-behavior, now and whenever such an element appears.
import { busy } from './behaviors/busy.js';
import { cells } from './behaviors/cells.js';
import { copy } from './behaviors/copy.js';
import { dialog, dialogClose, dirty } from './behaviors/dialog.js';
import { drawer } from './behaviors/drawer.js';
import { jump } from './behaviors/jump.js';
import { menu } from './behaviors/menu.js';
import { password } from './behaviors/password.js';
import { selection } from './behaviors/selection.js';
import { shortcuts, watchKeys } from './behaviors/shortcuts.js';
import { watchSession } from './behaviors/signin.js';
import { submitGuard } from './behaviors/submit.js';
import { theme } from './behaviors/theme.js';
import { defineTime } from './behaviors/time.js';
import { toast, watchRequests } from './behaviors/toast.js';
import { visibleWhen } from './behaviors/visible.js';
import { zone } from './behaviors/zone.js';

/** @type {Record<string, (el: HTMLElement) => void>} */
const behaviors = {
  cells,
  copy,
  cron: () => void import('./elements/cron-field.js'), // a dialog may bring it to any page
  dialog,
  'dialog-close': dialogClose,
  dirty,
  drawer,
  jump,
  menu,
  password,
  selection,
  shortcuts,
  'submit-guard': submitGuard,
  theme,
  toast,
  'visible-when': visibleWhen,
  zone,
};

/** @type {WeakMap<Element, Set<string>>} */
const attached = new WeakMap();

/** @param {Element} el */
function attach(el) {
  if (!(el instanceof HTMLElement)) return;
  const has = attached.get(el) ?? new Set();
  for (const name of (el.dataset.behavior ?? '').split(' ')) {
    const behavior = behaviors[name];
    if (!behavior || has.has(name)) continue;
    has.add(name);
    behavior(el);
  }
  attached.set(el, has);
}

/** @param {Element} root */
function attachAll(root) {
  if (root.matches('[data-behavior]')) attach(root);
  root.querySelectorAll('[data-behavior]').forEach(attach);
}

new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes) if (node instanceof Element) attachAll(node);
  }
}).observe(document.documentElement, { childList: true, subtree: true });
attachAll(document.documentElement);

defineTime();
watchRequests();
watchSession();
watchKeys();
busy();
