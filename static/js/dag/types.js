// @ts-check
/**
 * The shapes that travel between the server and the editor.
 *
 * @typedef {{prop: string, direct: string, type: string, value: string}} Property
 * @typedef {{[key: string]: any, localParams?: Property[], resourceList?: {resourceName: string}[]}} TaskParams
 * @typedef {{code: number, name: string, description?: string, taskType: string, taskParams: TaskParams, flag: string,
 *   taskPriority: string, workerGroup: string, environmentCode?: number, failRetryTimes?: number,
 *   failRetryInterval?: number, timeoutFlag?: string, timeoutNotifyStrategy?: string | null, timeout?: number,
 *   delayTime?: number, isCache?: string, taskGroupId?: number | null, taskGroupPriority?: number | null,
 *   cpuQuota?: number, memoryMax?: number, taskExecuteType?: string, finally?: boolean, version?: number}} Task
 * @typedef {{preTaskCode: number, postTaskCode: number, name?: string}} Relation
 * @typedef {{x: number, y: number}} Point
 * @typedef {{taskCode: number, x: number, y: number}} Location
 * @typedef {{name: string, description: string, timeout: number, executionType: string, globalParams: Property[]}} Meta
 * @typedef {Meta & {code: number, projectCode?: number, version: number, releaseState: string, tasks: Task[], relations: Relation[],
 *   locations: Location[] | null, source?: string, unfinished?: string}} Definition
 * @typedef {{taskCode: number, field: string, message: string, severity: string}} Problem
 * @typedef {{state: string, attempt?: number, maxAttempts?: number, startTime?: string, endTime?: string,
 *   reason?: string, logUrl?: string, host?: string}} RunState
 * @typedef {{field: string, in: string[], otherwise?: any, and?: When}} When
 * @typedef {{name: string, type: string, label: string, help?: string, required?: boolean, default?: any,
 *   language?: string, options?: {value: string, label: string, when?: When}[], visibleWhen?: When, packed?: boolean, sameAs?: string,
 *   alias?: string, min?: number, max?: number, advanced?: boolean, placeholder?: string, of?: string, sourceTypes?: string[],
 *   columns?: {name: string, label: string, options?: {value: string, label: string}[]}[]}} Field
 * @typedef {{type: string, category: string, label: string, icon: string, aliases?: string[], also?: string[],
 *   retryable?: boolean, stream?: boolean, logic?: boolean, foreign?: boolean, help?: string, fields: Field[]}} TaskType
 * @typedef {{types: TaskType[]}} Schema
 * @typedef {{environments?: boolean, taskGroups?: boolean, cache?: boolean, limits?: boolean,
 *   finally?: boolean}} Features
 * @typedef {{[name: string]: string | undefined}} Urls
 * @typedef {{definition: Definition, draft: {revision: number, savedAt: string, baseVersion: number} | null,
 *   mode: string, readReason?: string, urls: Urls, schema: Schema, workerGroups: string[], features: Features,
 *   environments?: {value: string, label: string, workerGroups?: string[]}[],
 *   taskGroups?: {value: string, label: string}[], resources?: string[],
 *   dateCycles?: {value: string, label: string, dates: {value: string, label: string}[]}[], preference?: Partial<Task>, projectParams?: string[],
 *   instance: {id: number, name?: string, states: Record<string, RunState>, eventsUrl?: string} | null}} PageData
 */
export {};
