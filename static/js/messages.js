// @ts-check
/**
 * Texts and icons of the page. The server puts all `js.*` messages of the viewer's language into
 * `<script type="application/json" id="js-messages">`, and the address of the icon sprite into `<body data-icons>`.
 */

const page = typeof document === 'undefined' ? null : document;
/** @type {Record<string, string> | undefined} */
let texts;

function load() {
  const block = page?.getElementById('js-messages') ?? page?.getElementById('messages');
  try {
    return JSON.parse(block?.textContent ?? '{}');
  } catch {
    return {};
  }
}

/**
 * A js.* text in the language of the page, with {name} replaced. The argument
 * count chooses the plural form. An unknown key comes back as it is.
 * @param {string} key
 * @param {Record<string, string | number>} [args]
 */
export function t(key, args = {}) {
  texts ??= /** @type {Record<string, string>} */ (load());
  const text = texts[key] ?? (args.count === 1 ? texts[key + '.one'] : undefined) ?? texts[key + '.other'] ?? key;
  return text.replace(/\{(\w+)\}/g, (all, name) => String(args[name] ?? all));
}

/**
 * The address of an icon in the sprite.
 * @param {string} name
 */
export function iconHref(name) {
  return `${page?.body?.dataset.icons ?? page?.documentElement.dataset.icons ?? ''}#${name}`;
}

/**
 * An icon of the sprite, as the server draws it.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'i');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', iconHref(name));
  svg.append(use);
  return svg;
}
