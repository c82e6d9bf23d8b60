// The picture on the screen: tiles from the server at the level that fits, moved and zoomed, and the mask over them. Canvases
// have the size of the screen's part, whatever the picture's is.

/** @typedef {import("./types.js").Version} Version */
/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Box} Box */
/** @typedef {import("./mask.js").Mask} Mask */
/** @typedef {"after" | "before" | "slider" | "difference"} Look */

export const TILE = 512; // pixels of a tile's side, as the server has them
const KEPT = 320; // tiles in memory
const TOGETHER = 4; // requests at a time
const MOST = 32; // screen pixels that a picture's pixel becomes at most
const PAINT = [0xa8_b4_00_ff, 0x70_ff_60_ff]; // stripes of the mask, as a, b, g, r

/** @typedef {object} Scene
 * @property {number} photo
 * @property {Version} now what is shown, and counted in
 * @property {Version} before
 * @property {Map<number, Version>} versions
 * @property {Mask | null} mask */

export class Viewer {
  /** @param {HTMLElement} frame @param {import("./api.js").Server} server */
  constructor(frame, server) {
    this.frame = frame;
    this.server = server;
    this.picture = /** @type {HTMLCanvasElement} */ (frame.querySelector("#picture"));
    this.marks = /** @type {HTMLCanvasElement} */ (frame.querySelector("#marks"));
    this.guide = /** @type {HTMLCanvasElement} */ (frame.querySelector("#guide"));
    this.paper = /** @type {CanvasRenderingContext2D} */ (this.picture.getContext("2d", { alpha: false }));
    this.ink = /** @type {CanvasRenderingContext2D} */ (this.marks.getContext("2d"));
    this.overlay = new ImageData(1, 1);
    /** @type {Scene | null} */
    this.scene = null;
    /** @type {Look} */
    this.look = "after";
    this.split = 0.5; // where the slider is, as a share of the width
    this.gain = 4; // of differences
    this.maskShown = true;
    this.scale = 1; // screen pixels that a picture's pixel has
    this.x = 0; // of the picture's corner, in screen pixels
    this.y = 0;
    this.fitted = true;
    this.planned = false;
    /** @type {Map<string, ImageBitmap>} */
    this.tiles = new Map();
    /** @type {Set<string>} */
    this.loading = new Set();
    /** @type {[string, string][]} */
    this.wanted = [];
    this.changed = () => {}; // called after the view moved
    this.settled = () => {}; // called when all that is seen was drawn as it should be
    new ResizeObserver(() => this.#resize()).observe(frame);
    this.#resize();
  }

  /** The screen's pixels in one of CSS. */
  get ratio() {
    return window.devicePixelRatio || 1;
  }

  /** Show a photograph, or nothing. @param {Scene | null} scene @param {boolean} [anew] fit it into the frame */
  show(scene, anew = false) {
    const other = this.scene && scene && this.scene.now.width !== scene.now.width && !anew;
    if (other && this.scene && scene) { // enlarged: the same part stays in view
      const factor = this.scene.now.width / scene.now.width;
      this.scale *= factor;
    }
    this.scene = scene;
    if (anew || this.fitted) this.fit();
    this.#paint(); // what is missing is asked for now, not at the next frame
    this.draw();
  }

  fit() {
    if (!this.scene) return;
    const { width, height } = this.scene.now;
    this.scale = Math.min(this.picture.width / width, this.picture.height / height, MOST);
    this.x = (this.picture.width - width * this.scale) / 2;
    this.y = (this.picture.height - height * this.scale) / 2;
    this.fitted = true;
    this.draw();
  }

  /** Zoom by a factor about a point of the frame, in CSS pixels, or its middle. @param {number} factor @param {Point} [about] */
  zoom(factor, about) {
    this.zoomTo(this.scale * factor, about);
  }

  /** @param {number} scale @param {Point} [about] */
  zoomTo(scale, about) {
    if (!this.scene) return;
    const least = Math.min(1, 64 / Math.max(this.scene.now.width, this.scene.now.height));
    const next = Math.min(MOST, Math.max(least, scale));
    const px = about ? about.x * this.ratio : this.picture.width / 2, py = about ? about.y * this.ratio : this.picture.height / 2;
    this.x = px - ((px - this.x) * next) / this.scale;
    this.y = py - ((py - this.y) * next) / this.scale;
    this.scale = next;
    this.fitted = false;
    this.#hold();
  }

  /** Move by CSS pixels. @param {number} dx @param {number} dy */
  pan(dx, dy) {
    if (!this.scene) return;
    this.x += dx * this.ratio;
    this.y += dy * this.ratio;
    this.fitted = false;
    this.#hold();
  }

  /** Keep some of the picture in the frame, and draw. */
  #hold() {
    if (!this.scene) return;
    const edge = 48 * this.ratio, { width, height } = this.scene.now;
    this.x = Math.min(this.picture.width - edge, Math.max(edge - width * this.scale, this.x));
    this.y = Math.min(this.picture.height - edge, Math.max(edge - height * this.scale, this.y));
    if (this.scale >= 1) {
      this.x = Math.round(this.x);
      this.y = Math.round(this.y);
    }
    this.draw();
  }

  /** Return the point of the picture at a point of the frame, in CSS pixels. @param {Point} at @returns {Point} */
  inPicture(at) {
    return { x: (at.x * this.ratio - this.x) / this.scale, y: (at.y * this.ratio - this.y) / this.scale };
  }

  /** Return the point of the frame, in CSS pixels, at a point of the picture. @param {Point} at @returns {Point} */
  inFrame(at) {
    return { x: (at.x * this.scale + this.x) / this.ratio, y: (at.y * this.scale + this.y) / this.ratio };
  }

  #resize() {
    const width = Math.max(1, Math.round(this.frame.clientWidth * this.ratio));
    const height = Math.max(1, Math.round(this.frame.clientHeight * this.ratio));
    if (width === this.picture.width && height === this.picture.height) return;
    const dx = (width - this.picture.width) / 2, dy = (height - this.picture.height) / 2;
    for (const canvas of [this.picture, this.marks, this.guide]) {
      canvas.width = width;
      canvas.height = height;
    }
    this.overlay = new ImageData(width, height);
    this.x += dx;
    this.y += dy;
    if (this.fitted) this.fit();
    this.draw();
  }

  /** The level at which what is shown is drawn. */
  get level() {
    return this.scene ? levelOf(this.scene.now, this.scale) : 0;
  }

  /** Draw at the next frame of the screen. */
  draw() {
    if (this.planned) return;
    this.planned = true;
    requestAnimationFrame(() => {
      this.planned = false;
      this.#paint();
      this.#mask(0, 0, this.marks.width, this.marks.height);
      this.changed();
    });
  }

  #paint() {
    const { width, height } = this.picture;
    this.paper.fillStyle = getComputedStyle(this.frame).backgroundColor;
    this.paper.fillRect(0, 0, width, height);
    this.wanted = [];
    if (!this.scene) return;
    const { now, before } = this.scene, border = Math.round(this.split * width);
    let whole = true;
    if (this.look === "slider") {
      whole = this.#layer(before, 0, border) && whole;
      whole = this.#layer(now, border, width) && whole;
    } else {
      whole = this.#layer(this.look === "before" ? before : now, 0, width);
    }
    this.#pump();
    if (whole) this.settled();
  }

  /** Draw a version between two columns of the canvas; returns whether all of it is as it should be.
   * @param {Version} version @param {number} from @param {number} to */
  #layer(version, from, to) {
    if (!this.scene || to <= from) return true;
    const paper = this.paper, { width, height } = this.picture;
    const scale = (this.scale * this.scene.now.width) / version.width;
    const level = levelOf(version, scale);
    const side = TILE * 2 ** level * scale;
    paper.save();
    paper.beginPath();
    paper.rect(from, 0, to - from, height);
    paper.clip();
    paper.imageSmoothingEnabled = scale < 1;
    paper.imageSmoothingQuality = "low";
    let whole = true;
    const columns = Math.ceil(version.width / (TILE * 2 ** level)), rows = Math.ceil(version.height / (TILE * 2 ** level));
    const first = Math.max(0, Math.floor((from - this.x) / side)), last = Math.min(columns - 1, Math.floor((to - 1 - this.x) / side));
    for (let row = Math.max(0, Math.floor(-this.y / side)); row <= Math.min(rows - 1, Math.floor((height - 1 - this.y) / side)); row++) {
      for (let column = first; column <= last; column++) whole = this.#tile(version, level, column, row, scale) && whole;
    }
    paper.restore();
    return whole && width > 0;
  }

  /** Draw a tile, or what is there in its place. @param {Version} version @param {number} level @param {number} column
   * @param {number} row @param {number} scale */
  #tile(version, level, column, row, scale) {
    const [key, address] = this.#name(version, level, column, row), bitmap = this.tiles.get(key);
    if (bitmap) {
      this.tiles.delete(key); // to the end: it is in use
      this.tiles.set(key, bitmap);
      this.#place(bitmap, level, column, row, scale, 0, 0, bitmap.width, bitmap.height);
      return true;
    }
    if (!this.loading.has(key)) this.wanted.push([key, address]);
    const old = this.scene && version.parent !== null && version.changed ? this.scene.versions.get(version.parent) : undefined;
    const stale = old && this.tiles.get(this.#name(old, level, column, row)[0]);
    if (stale) {
      this.#place(stale, level, column, row, scale, 0, 0, stale.width, stale.height);
      return false;
    }
    for (let up = 1; level + up <= coarsest(version); up++) {
      const coarse = this.tiles.get(this.#name(version, level + up, column >> up, row >> up)[0]);
      if (!coarse) continue;
      const part = TILE / 2 ** up, left = (column % 2 ** up) * part, top = (row % 2 ** up) * part;
      const wide = Math.min(part, coarse.width - left), high = Math.min(part, coarse.height - top);
      if (wide > 0 && high > 0) this.#place(coarse, level, column, row, scale, left, top, wide, high, 2 ** up);
      break;
    }
    return false;
  }

  /** @param {ImageBitmap} bitmap @param {number} level @param {number} column @param {number} row @param {number} scale
   * @param {number} left @param {number} top @param {number} wide @param {number} high @param {number} [coarser] */
  #place(bitmap, level, column, row, scale, left, top, wide, high, coarser = 1) {
    const unit = 2 ** level * scale;
    const x = this.x + column * TILE * unit, y = this.y + row * TILE * unit;
    const x0 = Math.round(x), y0 = Math.round(y);
    const x1 = Math.round(x + wide * unit * coarser), y1 = Math.round(y + high * unit * coarser);
    this.paper.drawImage(bitmap, left, top, wide, high, x0, y0, x1 - x0, y1 - y0);
  }

  /** Return a tile's key and address. What a version did not change is its parent's. @param {Version} version
   * @param {number} level @param {number} column @param {number} row @returns {[string, string]} */
  #name(version, level, column, row) {
    const scene = /** @type {Scene} */ (this.scene), unit = TILE * 2 ** level, edge = level ? 4 * 2 ** level : 0; // of halving
    let own = version;
    while (own.changed && own.parent !== null) {
      const parent = scene.versions.get(own.parent);
      const left = column * unit - edge, top = row * unit - edge, side = unit + 2 * edge;
      const touched = own.changed.some((box) => box[0] < left + side && box[0] + box[2] > left && box[1] < top + side && box[1] + box[3] > top);
      if (touched || !parent) break;
      own = parent;
    }
    const against = this.look === "difference" ? { against: scene.before.version, gain: this.gain } : {};
    if (this.look === "difference") own = version;
    const message = { photo: scene.photo, version: own.version, level, column, row, ...against };
    return [JSON.stringify(message), this.server.address("tile", message)];
  }

  #pump() {
    while (this.loading.size < TOGETHER && this.wanted.length) {
      const [key, address] = /** @type {[string, string]} */ (this.wanted.shift());
      this.loading.add(key);
      this.server.bitmap(address).then(
        (bitmap) => {
          this.tiles.set(key, bitmap);
          for (const [old, unused] of this.tiles) {
            if (this.tiles.size <= KEPT) break;
            unused.close();
            this.tiles.delete(old);
          }
          this.draw();
        },
        () => {},
      ).finally(() => {
        this.loading.delete(key);
        this.#pump();
      });
    }
  }

  /** Draw the mask where the picture's box is. @param {Box} box */
  drawMask(box) {
    const edge = 2;
    this.#mask(
      Math.floor(box[0] * this.scale + this.x) - edge, Math.floor(box[1] * this.scale + this.y) - edge,
      Math.ceil((box[0] + box[2]) * this.scale + this.x) + edge, Math.ceil((box[1] + box[3]) * this.scale + this.y) + edge,
    );
  }

  /** @param {number} left @param {number} top @param {number} right @param {number} bottom */
  #mask(left, top, right, bottom) {
    const mask = this.scene?.mask, wide = this.marks.width;
    if (!mask || !this.maskShown || this.look === "difference") {
      this.ink.clearRect(0, 0, wide, this.marks.height);
      return;
    }
    const l = Math.max(0, left), t = Math.max(0, top), r = Math.min(wide, right), b = Math.min(this.marks.height, bottom);
    if (r <= l || b <= t) return;
    const out = new Uint32Array(this.overlay.data.buffer), { bits, width, height } = mask;
    const twice = this.scale < 0.6 ? 0.5 / this.scale : 0; // small, each pixel of the screen stands for several
    const columns = new Int32Array(r), others = new Int32Array(r);
    for (let x = l; x < r; x++) {
      const at = Math.floor((x + 0.25 - this.x) / this.scale), next = Math.floor((x + 0.25 - this.x) / this.scale + twice);
      columns[x] = at >= 0 && at < width ? at : -1;
      others[x] = next >= 0 && next < width ? next : columns[x];
    }
    for (let y = t; y < b; y++) {
      const at = Math.floor((y + 0.25 - this.y) / this.scale), next = Math.min(height - 1, Math.floor((y + 0.25 - this.y) / this.scale + twice));
      const line = y * wide, row = at * width, below = next * width;
      if (at < 0 || at >= height) {
        out.fill(0, line + l, line + r);
        continue;
      }
      for (let x = l; x < r; x++) {
        const column = columns[x], other = others[x];
        const marked = column >= 0 && (bits[row + column] || (twice && (bits[row + other] || bits[below + column] || bits[below + other])));
        out[line + x] = marked ? PAINT[((x + y) >> 3) & 1] : 0;
      }
    }
    this.ink.putImageData(this.overlay, 0, 0, l, t, r - l, b - t);
  }
}

/** Return the level of which a version's tiles are shown. @param {Version} version @param {number} scale screen pixels of one of its */
function levelOf(version, scale) {
  return Math.max(0, Math.min(Math.floor(Math.log2(1 / scale) + 0.01), coarsest(version)));
}

/** Return the level at which a version is one tile. @param {Version} version */
export function coarsest(version) {
  return Math.max(0, Math.ceil(Math.log2(Math.max(version.width, version.height) / TILE)));
}
