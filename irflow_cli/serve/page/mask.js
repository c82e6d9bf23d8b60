// The mask: a byte for every pixel of the picture, 1 where it is to be filled. Borders are hard, so that what is painted is what
// the server gets, whatever the browser draws.

/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Box} Box */

/** What an action changed: the content of blocks before it, by their number. @typedef {Map<number, Uint8Array>} Diff */

const BLOCK = 128; // pixels of a block's side, by which actions are remembered

export class Mask {
  /** @param {number} width @param {number} height */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    /** @type {Uint8Array} */
    this.bits = new Uint8Array(width * height);
    this.across = Math.ceil(width / BLOCK);
    /** @type {Diff} */
    this.action = new Map();
    this.first = height; // rows, from the first to before the last, outside of which nothing is marked
    this.last = 0;
  }

  /** Whether nothing is marked. */
  get empty() {
    return this.#start() < 0;
  }

  /** Where in `bits` the first mark is, or -1. */
  #start() {
    const at = this.#marked().indexOf(1);
    return at < 0 ? at : at + this.first * this.width;
  }

  #marked() {
    return this.bits.subarray(this.first * this.width, Math.max(this.first, this.last) * this.width);
  }

  /** End the action and return what it changed, or null if nothing. @returns {Diff | null} */
  end() {
    const diff = this.action;
    this.action = new Map();
    for (const [number, before] of diff) {
      if (this.#block(number).every((value, at) => value === before[at])) diff.delete(number);
    }
    return diff.size ? diff : null;
  }

  /** Exchange what a diff remembers with what is there: undoes an action, and the second time does it again.
   * @param {Diff} diff */
  swap(diff) {
    for (const [number, other] of diff) {
      const now = this.#block(number);
      this.#put(number, other);
      diff.set(number, now);
    }
  }

  /** Mark, or with value 0 unmark, all within a radius of the line between two points, in pixels; a pixel's middle counts.
   * @param {Point} from @param {Point} to @param {number} radius @param {0 | 1} value @returns {Box} */
  line(from, to, radius, value) {
    const box = this.#within(
      Math.min(from.x, to.x) - radius, Math.min(from.y, to.y) - radius,
      Math.max(from.x, to.x) + radius, Math.max(from.y, to.y) + radius,
    );
    const [left, top, width, height] = box;
    this.#remember(box);
    const dx = to.x - from.x, dy = to.y - from.y, length = dx * dx + dy * dy || 1, most = radius * radius;
    for (let y = top; y < top + height; y++) {
      const row = y * this.width, v = y + 0.5 - from.y;
      for (let x = left; x < left + width; x++) {
        const u = x + 0.5 - from.x;
        const along = Math.min(1, Math.max(0, (u * dx + v * dy) / length));
        const e = u - along * dx, f = v - along * dy;
        if (e * e + f * f <= most) this.bits[row + x] = value;
      }
    }
    return box;
  }

  /** Mark or unmark a box. @param {Box} marked @param {0 | 1} value @returns {Box} */
  box(marked, value) {
    const box = this.#within(marked[0], marked[1], marked[0] + marked[2], marked[1] + marked[3]);
    this.#remember(box);
    for (let y = box[1]; y < box[1] + box[3]; y++) this.bits.fill(value, y * this.width + box[0], y * this.width + box[0] + box[2]);
    return box;
  }

  /** Mark or unmark the inside of a closed line, by the even-odd rule. @param {Point[]} points @param {0 | 1} value
   * @returns {Box} */
  polygon(points, value) {
    const xs = points.map((point) => point.x), ys = points.map((point) => point.y);
    const box = this.#within(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
    this.#remember(box);
    for (let y = box[1]; y < box[1] + box[3]; y++) {
      const cuts = [];
      for (let at = 0; at < points.length; at++) {
        const one = points[at], other = points[(at + 1) % points.length], middle = y + 0.5;
        if (one.y > middle !== other.y > middle) cuts.push(one.x + ((middle - one.y) * (other.x - one.x)) / (other.y - one.y));
      }
      cuts.sort((one, other) => one - other);
      for (let at = 0; at + 1 < cuts.length; at += 2) {
        const start = Math.max(box[0], Math.ceil(cuts[at] - 0.5)), stop = Math.min(box[0] + box[2], Math.ceil(cuts[at + 1] - 0.5));
        if (stop > start) this.bits.fill(value, y * this.width + start, y * this.width + stop);
      }
    }
    return box;
  }

  /** Mark what the server says, or unmark it. @param {ArrayBuffer} message @param {0 | 1} value @returns {Box} */
  add(message, value) {
    const [left, top, width, height] = new Uint32Array(message, 0, 4), packed = new Uint8Array(message, 16);
    /** @type {Box} */
    const box = [left, top, width, height];
    this.#remember(box);
    for (let y = 0, at = 0; y < height; y++) {
      const row = (top + y) * this.width + left;
      for (let x = 0; x < width; x++, at++) if (packed[at >> 3] & (128 >> (at & 7))) this.bits[row + x] = value;
    }
    return box;
  }

  /** Unmark all. @returns {Box} */
  clear() {
    const box = this.bounds();
    if (box[2]) this.box(box, 0);
    this.first = this.height;
    this.last = 0;
    return box;
  }

  /** Return the smallest box that holds all marks, of no width where there are none. @returns {Box} */
  bounds() {
    const start = this.#start();
    if (start < 0) return [0, 0, 0, 0];
    const top = Math.floor(start / this.width), bottom = this.first + Math.floor(this.#marked().lastIndexOf(1) / this.width) + 1;
    let left = this.width, right = 0;
    for (let y = top; y < bottom; y++) {
      const row = this.bits.subarray(y * this.width, (y + 1) * this.width), start = row.indexOf(1);
      if (start < 0) continue;
      left = Math.min(left, start);
      right = Math.max(right, row.lastIndexOf(1) + 1);
    }
    return [left, top, right - left, bottom - top];
  }

  /** Return the mask as the server reads it: its box in four numbers, then a bit a pixel. @returns {ArrayBuffer} */
  message() {
    const [left, top, width, height] = this.bounds();
    const message = new ArrayBuffer(16 + Math.ceil((width * height) / 8)), packed = new Uint8Array(message, 16);
    new Uint32Array(message, 0, 4).set([left, top, width, height]);
    for (let y = 0, at = 0; y < height; y++) {
      const row = (top + y) * this.width + left;
      for (let x = 0; x < width; x++, at++) if (this.bits[row + x]) packed[at >> 3] |= 128 >> (at & 7);
    }
    return message;
  }

  /** @param {number} left @param {number} top @param {number} right @param {number} bottom @returns {Box} */
  #within(left, top, right, bottom) {
    const x = Math.max(0, Math.floor(left)), y = Math.max(0, Math.floor(top));
    return [x, y, Math.max(0, Math.min(this.width, Math.ceil(right)) - x), Math.max(0, Math.min(this.height, Math.ceil(bottom)) - y)];
  }

  /** Know that rows may be marked. @param {number} top @param {number} height */
  #reach(top, height) {
    this.first = Math.min(this.first, top);
    this.last = Math.max(this.last, Math.min(this.height, top + height));
  }

  /** Keep what the blocks of a box hold, once an action. @param {Box} box */
  #remember(box) {
    if (!box[2] || !box[3]) return;
    this.#reach(box[1], box[3]);
    for (let row = Math.floor(box[1] / BLOCK); row * BLOCK < box[1] + box[3]; row++) {
      for (let column = Math.floor(box[0] / BLOCK); column * BLOCK < box[0] + box[2]; column++) {
        const number = row * this.across + column;
        if (!this.action.has(number)) this.action.set(number, this.#block(number));
      }
    }
  }

  /** @param {number} number */
  #block(number) {
    const copy = new Uint8Array(BLOCK * BLOCK);
    this.#rows(number, (at, start, stop) => copy.set(this.bits.subarray(start, stop), at));
    return copy;
  }

  /** @param {number} number @param {Uint8Array} block */
  #put(number, block) {
    this.#reach(Math.floor(number / this.across) * BLOCK, BLOCK);
    this.#rows(number, (at, start, stop) => this.bits.set(block.subarray(at, at + stop - start), start));
  }

  /** @param {number} number @param {(at: number, start: number, stop: number) => void} work */
  #rows(number, work) {
    const left = (number % this.across) * BLOCK, top = Math.floor(number / this.across) * BLOCK;
    const width = Math.min(BLOCK, this.width - left);
    for (let y = top; y < Math.min(top + BLOCK, this.height); y++) work((y - top) * BLOCK, y * this.width + left, y * this.width + left + width);
  }
}
