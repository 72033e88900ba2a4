// @ts-check
/**
 * Names of projects, workflows and tasks outside the document, as far as the viewer may see them. What was asked once
 * is remembered as long as the page lives; data sources and alert groups for a moment, because they are made in another tab.
 * @typedef {{code: number, name: string, online?: boolean, url?: string}} Named
 * @typedef {{id: number, name: string}} Kept
 * @typedef {Kept & {type: string, label: string}} Source
 */
import { call } from './api.js';

const FRESH = 3000; // ms

export class Lookup {
  /** @type {Map<number, Named>} */ #workflows = new Map();
  /** @type {Map<number, Promise<Named[]>>} */ #tasks = new Map();
  /** @type {Promise<Named[]> | null} */ #projects = null;
  /** @type {Map<string, {until: number, list: Promise<any[] | null>}>} */ #kept = new Map();

  /** @param {import('./types.js').Urls} urls @param {(method: string, url: string) => Promise<any>} [ask] */
  constructor(urls, ask = call) {
    this.urls = urls;
    this.ask = ask;
  }
  /** @param {string | undefined} url @param {number} project @param {number} [workflow] */
  #at(url, project, workflow = 0) {
    return url?.replace('{project}', String(project)).replace('{workflow}', String(workflow));
  }
  /** @returns {Promise<Named[]>} */
  projects() {
    if (!this.urls.projects) return Promise.resolve([]);
    return (this.#projects ??= this.ask('GET', this.urls.projects).then((res) => res.projects, () => []));
  }
  /** Workflows whose names contain the text. @param {number} project @param {string} text @returns {Promise<Named[]>} */
  async workflows(project, text) {
    const url = this.#at(this.urls.workflows, project);
    if (!url || !project) return [];
    try {
      const res = await this.ask('GET', `${url}?q=${encodeURIComponent(text)}`);
      for (const w of res.workflows) this.#workflows.set(w.code, w);
      return res.workflows;
    } catch {
      return []; // a project one may not see has nothing to choose from
    }
  }
  /** @param {number} project @param {number} code @returns {Promise<Named | undefined>} */
  async workflow(project, code) {
    const url = this.#at(this.urls.workflows, project);
    if (!url || !project || !code) return undefined;
    const known = this.#workflows.get(code);
    if (known) return known;
    try {
      const res = await this.ask('GET', `${url}?q=${encodeURIComponent('\u0001')}&codes=${code}`); // no name holds that
      for (const w of res.workflows) this.#workflows.set(w.code, w);
    } catch {
      return undefined;
    }
    return this.#workflows.get(code);
  }
  /** @param {number} project @param {number} workflow @returns {Promise<Named[]>} */
  tasks(project, workflow) {
    const url = this.#at(this.urls.tasks, project, workflow);
    if (!url || !project || !workflow) return Promise.resolve([]);
    const known = this.#tasks.get(workflow);
    if (known) return known;
    const asked = this.ask('GET', url).then((res) => res.tasks, () => []);
    this.#tasks.set(workflow, asked);
    return asked;
  }
  /** Data sources that the viewer may use; null when they could not be asked for. @returns {Promise<Source[] | null>} */
  sources() {
    return this.#keep(this.urls.sources, 'sources');
  }
  /** Alert groups that the viewer may use; null when they could not be asked for. @returns {Promise<Kept[] | null>} */
  alertGroups() {
    return this.#keep(this.urls.alertGroups, 'alertGroups');
  }
  /** @param {string | undefined} url @param {string} member */
  #keep(url, member) {
    if (!url) return Promise.resolve(null);
    const known = this.#kept.get(url);
    if (known && known.until > Date.now()) return known.list;
    const list = this.ask('GET', url).then((res) => res[member], () => {
      this.#kept.delete(url);
      return null;
    });
    this.#kept.set(url, { until: Date.now() + FRESH, list });
    return list;
  }
}
