// A photograph that is open: its versions, its mask, and what was done, so that it can be undone.

import { Mask } from "./mask.js";

/** @typedef {import("./types.js").Opened} Opened */
/** @typedef {import("./types.js").Version} Version */
/** @typedef {import("./mask.js").Diff} Diff */

/** A thing that was done: strokes of the mask, and a version in place of another.
 * @typedef {{diff: Diff | null, from: number, to: number}} Deed */

export class Photo {
  /** @param {Opened} opened */
  constructor(opened) {
    this.about = opened;
    this.number = opened.photo;
    /** @type {Map<number, Version>} */
    this.versions = new Map([[0, opened]]);
    this.now = 0;
    /** @type {number[]} */
    this.proposals = [];
    /** Of the proposals. @type {Map<number, HTMLCanvasElement>} */
    this.previews = new Map();
    /** Where the last hole was. @type {import("./types.js").Box} */
    this.filled = [0, 0, 0, 0];
    /** @type {Deed[]} */
    this.done = [];
    /** @type {Deed[]} */
    this.undone = [];
    this.state = ""; // of its last work, in words
    /** Versions that were saved. @type {Set<number>} */
    this.saved = new Set();
    /** Versions that are being saved. @type {Set<number>} */
    this.saving = new Set();
    this.thumb = new Image(); // in the list
    this.thumb.alt = "";
    this.pictured = -1; // the version that it shows
    /** By size: what is enlarged has another one. @type {Map<string, Mask>} */
    this.masks = new Map();
  }

  /** What is shown. @returns {Version} */
  get version() {
    return /** @type {Version} */ (this.versions.get(this.now) ?? this.versions.get(0));
  }

  /** Whether what is shown would be lost. */
  get unsaved() {
    return this.now !== 0 && !this.saved.has(this.now);
  }

  /** What it is compared with: the photograph as it was opened. @returns {Version} */
  get before() {
    return /** @type {Version} */ (this.versions.get(0));
  }

  /** What work of a kind begins from: done again, with other settings, from what it began from before.
   * @param {string} kind @returns {Version} */
  base(kind) {
    const { version } = this, again = version.kind === kind && kind !== "inpaint" && version.parent !== null;
    return (again ? this.versions.get(/** @type {number} */ (version.parent)) : undefined) ?? version;
  }

  /** The mask of what is shown. @returns {Mask} */
  get mask() {
    const { width, height } = this.version;
    const size = `${width} ${height}`, mask = this.masks.get(size) ?? new Mask(width, height);
    this.masks.set(size, mask);
    return mask;
  }

  /** Remember an action. @param {Diff | null} diff @param {number} [to] the version that comes in the place of this one */
  did(diff, to = this.now) {
    if (!diff && to === this.now) return;
    this.done.push({ diff, from: this.now, to });
    this.undone = [];
    this.now = to;
  }

  /** Take the versions that came of one item of work, and show the first. @param {Version[]} versions @param {number[]} kept */
  came(versions, kept) {
    for (const version of versions) this.versions.set(version.version, version);
    for (const number of this.versions.keys()) if (number && !kept.includes(number)) this.versions.delete(number);
    const first = versions[0];
    const same = first.width === this.version.width && first.height === this.version.height;
    let diff = null;
    if (same && first.changed) {
      this.filled = this.mask.clear();
      diff = this.mask.end();
    }
    this.did(diff, first.version);
    this.previews.clear();
    this.proposals = versions.length > 1 ? versions.map((version) => version.version) : [];
  }

  /** Show another of several proposals. @param {number} number */
  choose(number) {
    const last = this.done[this.done.length - 1];
    if (last && last.to === this.now) last.to = number;
    this.now = number;
  }

  /** Undo or redo; returns whether there was something. @param {boolean} again */
  turn(again) {
    const deed = (again ? this.undone : this.done).pop();
    if (!deed) return false;
    (again ? this.done : this.undone).push(deed);
    const to = again ? deed.to : deed.from;
    if (this.versions.has(to)) this.now = to;
    if (deed.diff) this.mask.swap(deed.diff);
    if (!this.proposals.includes(this.now)) this.proposals = [];
    return true;
  }
}
