// @ts-check
/** The whole graph as a picture to keep: SVG, or PNG made from it, in the colours of the page. */
import { t } from '../messages.js';
import { branchesOf } from './branch.js';
import { canvasColours } from './far.js';
import { SpatialIndex, boundsOf } from './geometry.js';
import { NODE_H, NODE_W } from './model.js';
import { arrowhead, middle, path, route } from './route.js';
import { edgeColour, look } from './states.js';
import { branchText } from './view.js';

/** @typedef {import('./editor.js').DagEditor} DagEditor */

const PAD = 32;
const FOOT = 28;
const MOST_PIXELS = 16_000; // browsers refuse larger canvases
const LETTERS = 22; // of a name on a card

/** @param {string} s */
const esc = (s) => s.replace(/[\ud800-\udfff]/gu, '\ufffd').replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, ' ');
/** @param {string} s @param {number} n */
const cut = (s, n) => (s.length > n ? `${s.slice(0, n - 1)}…` : s);

/**
 * @param {Pick<DagEditor, 'model' | 'types' | 'states' | 'data'>} editor @param {Record<string, string>} colour
 * @returns {{svg: string, w: number, h: number}}
 */
export function drawing({ model, types, states, data }, colour) {
  const b = boundsOf(model.places.values());
  const w = Math.ceil(b.w + 2 * PAD);
  const h = Math.ceil(b.h + 2 * PAD + FOOT);
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="${b.x - PAD} ${b.y - PAD} ${w} ${h}" font-family="Inter, 'Noto Sans CJK SC', sans-serif">`,
    `<rect x="${b.x - PAD}" y="${b.y - PAD}" width="${w}" height="${h}" fill="${colour.card}"/>`,
  ];
  const index = new SpatialIndex();
  for (const [code, p] of model.places) index.add(code, p);
  for (const e of model.edges.values()) {
    const way = route(e.preTaskCode, e.postTaskCode, index, (code) => model.place(code));
    const ways = branchesOf(model, e);
    /** @type {string} */
    const kind = ways ? (ways[0]?.kind ?? 'none') : '';
    const line = colour[kind === 'success' || kind === 'failed' ? kind : edgeColour(states, e)];
    out.push(`<path d="${path(way)}" fill="none" stroke="${line}" stroke-width="1.5"${kind === 'default' || kind === 'none' ? ' stroke-dasharray="6 4"' : ''}/><path d="${arrowhead(way.x2, way.y2)}" fill="${line}"/>`);
    const text = e.name || (ways ? branchText(ways) : '');
    const { x, y } = middle(way);
    if (text) out.push(`<text x="${x}" y="${y + 4}" text-anchor="middle" font-size="11" fill="${colour.text}" stroke="${colour.card}" stroke-width="4" paint-order="stroke">${esc(cut(text, 28))}</text>`);
  }
  for (const task of model.tasks.values()) {
    const p = model.place(task.code);
    const stripe = states ? colour[look(states.get(task.code)?.state).kind] : colour.none;
    out.push(
      `<g><title>${esc(task.name)}</title><rect x="${p.x}" y="${p.y}" width="${NODE_W}" height="${NODE_H}" rx="${task.finally ? NODE_H / 2 : 8}" fill="${colour.card}" stroke="${colour.line}"${task.flag === 'NO' ? ' stroke-dasharray="4 3"' : ''}/>`,
      task.finally ? '' : `<rect x="${p.x}" y="${p.y + 8}" width="4" height="${NODE_H - 16}" fill="${stripe ?? colour.none}"/>`,
      `<text x="${p.x + 18}" y="${p.y + 23}" font-size="13" font-weight="600" fill="${colour.text}">${esc(cut(task.name, LETTERS))}</text>`,
      `<text x="${p.x + 18}" y="${p.y + 40}" font-size="11" fill="${colour.text}" opacity="0.65">${esc(cut(types.label(task.taskType), 28))}</text></g>`,
    );
  }
  const version = data.definition.version ? ` · v${data.definition.version}` : '';
  out.push(`<text x="${b.x}" y="${b.y + b.h + PAD + 10}" font-size="12" fill="${colour.text}" opacity="0.65">${esc(model.meta.name + version)}</text></svg>`);
  return { svg: out.join('\n'), w, h };
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** @param {DagEditor} editor @param {'svg' | 'png'} kind */
export async function exportPicture(editor, kind) {
  const { svg, w, h } = drawing(editor, canvasColours(editor.view.stage));
  const name = editor.model.meta.name || 'workflow';
  if (kind === 'svg') return save(new Blob([svg], { type: 'image/svg+xml' }), `${name}.svg`);
  const image = new Image();
  try {
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
    await image.decode();
    const k = Math.min(2, MOST_PIXELS / Math.max(w, h));
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(w * k);
    canvas.height = Math.round(h * k);
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
    if (!blob) throw new Error('no picture');
    save(blob, `${name}.png`);
  } catch {
    editor.toast(t('js.editor.export.failed'));
  }
}
