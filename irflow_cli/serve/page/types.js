// What goes between the server and the page.

/** A box: left, top, width, height. @typedef {[number, number, number, number]} Box */

/** A photograph as it was opened (version 0), or a result.
 * @typedef {object} Version
 * @property {number} version
 * @property {number | null} parent
 * @property {number} width
 * @property {number} height
 * @property {Box[] | null} changed outside of them it is as its parent is; null: all of it may be other
 * @property {string | null} kind of the last step
 * @property {string[]} steps
 * @property {string[]} notes */

/** What the server says of a photograph that was opened.
 * @typedef {Version & {photo: number, name: string, dropped: boolean, format: string, depth: string, grey: boolean,
 *   alpha: boolean, mask?: string | null}} Opened mask: of a file beside it that may be its mask */

/** @typedef {{task: string, summary: string, steps: number, sigma: number | null}} Task */

/** @typedef {{tasks: Task[], formats: Record<string, {exact: boolean, alpha: boolean}>, proposals: number,
 *   presets: {inpaint: string[], upscale: string[]}, version: string, folder: string, read_only: boolean}} Menu */

/** What became of an item of work.
 * @typedef {object} WorkNews
 * @property {"work"} type
 * @property {number} item
 * @property {"waiting" | "running" | "done" | "failed" | "cancelled"} state
 * @property {number} photo
 * @property {string} kind
 * @property {number} version
 * @property {number} [share]
 * @property {number} [seconds]
 * @property {number | null} [left]
 * @property {string} [error]
 * @property {Version[]} [versions]
 * @property {number[]} [kept] */

/** @typedef {WorkNews | {type: "tab", tab: string}} News */

/** @typedef {{x: number, y: number}} Point */

export {};
