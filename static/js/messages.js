// @ts-check
/** @type {Record<string, string> | undefined} */
let texts;

/**
 * A js.* text in the language of the page, with {name} replaced. The argument
 * count chooses the plural form. An unknown key comes back as it is.
 * @param {string} key
 * @param {Record<string, string | number>} [args]
 */
export function t(key, args = {}) {
  texts ??= /** @type {Record<string, string>} */ (JSON.parse(document.getElementById('js-messages')?.textContent ?? '{}'));
  const text = texts[key] ?? (args.count === 1 ? texts[key + '.one'] : undefined) ?? texts[key + '.other'] ?? key;
  return text.replace(/\{(\w+)\}/g, (all, name) => String(args[name] ?? all));
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
  use.setAttribute('href', `${document.body.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}
