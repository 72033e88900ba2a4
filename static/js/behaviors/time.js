// @ts-check
import { t } from '../messages.js';

/**
 * How far a moment lies from now, in the largest unit that fits; null when it is
 * so far away that the date says more.
 * @param {number} then milliseconds
 * @param {number} now milliseconds
 * @returns {{ value: number, unit: 'second' | 'minute' | 'hour' | 'day' } | null}
 */
export function distance(then, now) {
  const seconds = (then - now) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return { value: 0, unit: 'second' };
  if (size < 90 * 60) return { value: Math.round(seconds / 60), unit: 'minute' };
  if (size < 36 * 3600) return { value: Math.round(seconds / 3600), unit: 'hour' };
  if (size < 60 * 86400) return { value: Math.round(seconds / 86400), unit: 'day' };
  return null;
}

/**
 * The two largest units of a duration: [["m", 6], ["s", 41]].
 * @param {number} ms
 * @returns {[unit: 'd' | 'h' | 'm' | 's', count: number][]}
 */
export function parts(ms) {
  let rest = Math.max(0, Math.floor(ms / 1000));
  /** @type {['d' | 'h' | 'm' | 's', number][]} */
  const units = [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]];
  /** @type {['d' | 'h' | 'm' | 's', number][]} */
  const all = units.map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return [unit, count];
  });
  const first = Math.max(0, all.findIndex(([, count]) => count > 0));
  const from = all.some(([, count]) => count > 0) ? first : all.length - 1;
  return all.slice(from, from + 2).filter(([, count], i) => i === 0 || count > 0);
}

/** <do-time>: keeps the words of a <time> in it true. */
export function defineTime() {
  if (customElements.get('do-time')) return;
  customElements.define(
    'do-time',
    class extends HTMLElement {
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      #timer;

      connectedCallback() {
        this.#tick();
      }

      disconnectedCallback() {
        clearTimeout(this.#timer);
      }

      #tick() {
        const time = this.querySelector('time');
        if (!time) return;
        const then = Date.parse(time.dateTime);
        const elapsed = this.getAttribute('mode') === 'elapsed';
        if (elapsed) {
          const [large, small] = parts(Date.now() - then).map(([unit, n]) => t(`js.duration.${unit}`, { n }));
          time.textContent = small ? t('js.duration.pair', { large, small }) : large;
        } else {
          const d = distance(then, Date.now());
          if (d?.unit === 'second') time.textContent = t('js.time.now');
          else if (d) time.textContent = t(`js.time.${d.value < 0 ? 'ago' : 'in'}.${d.unit}`, { count: Math.abs(d.value) });
        }
        this.#timer = setTimeout(() => this.#tick(), elapsed ? 1000 : 20_000);
      }
    },
  );
}
