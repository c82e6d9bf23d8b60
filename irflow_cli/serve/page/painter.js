// Tools over the picture: pointers, pens, fingers and keys become strokes of the mask, and moves of the view.

import { Mask } from "./mask.js";

/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").Box} Box */
/** @typedef {"hand" | "brush" | "eraser" | "box" | "lasso" | "colour"} Tool */

const STEP = 8; // CSS pixels that an arrow key moves the point of a tool

export class Painter {
  /** @param {import("./viewer.js").Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    /** @type {Tool} */
    this.tool = "hand";
    this.size = 40; // of the brush: pixels of the picture across
    this.held = false; // the space bar: any tool is the hand
    /** @type {Map<number, Point>} */
    this.pointers = new Map();
    /** @type {Point[]} */
    this.trail = []; // of the stroke that is being drawn, in the picture
    this.takes = false; // whether the stroke takes away
    this.panning = false;
    /** @type {Point | null} */
    this.at = null; // of the tool, in the frame
    this.byKey = false; // the tool was put down by a key
    this.finished = () => {}; // a stroke has ended
    this.picked = (/** @type {Point} */ point, /** @type {boolean} */ takes) => {}; // a colour was pointed at
    this.resized = () => {}; // the brush has another size
    this.#listen(viewer.marks);
  }

  /** @returns {Mask | null} */
  get mask() {
    return this.viewer.scene?.mask ?? null;
  }

  get drawing() {
    return this.trail.length > 0;
  }

  /** @param {Tool} tool */
  choose(tool) {
    this.drop();
    this.tool = tool;
    this.outline();
    this.viewer.marks.style.cursor = tool === "hand" ? "grab" : tool === "brush" || tool === "eraser" ? "none" : "crosshair";
  }

  /** @param {number} size */
  resize(size) {
    this.size = Math.min(1000, Math.max(1, Math.round(size)));
    this.outline();
    this.resized();
  }

  /** Leave the stroke that is being drawn, as if it had not begun. */
  drop() {
    if (!this.drawing) return;
    this.trail = [];
    this.byKey = false;
    const diff = this.mask?.end();
    if (diff) this.mask?.swap(diff);
    this.viewer.draw();
    this.outline();
  }

  /** @param {HTMLCanvasElement} canvas */
  #listen(canvas) {
    const place = (/** @type {MouseEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button > 1 || !this.viewer.scene) return;
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, place(event));
      if (this.pointers.size === 2) this.drop();
      if (this.pointers.size > 1) return;
      this.panning = event.button === 1 || this.held || this.tool === "hand";
      if (event.button === 1) event.preventDefault();
      if (!this.panning) this.press(place(event), event.altKey);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = this.pointers.get(event.pointerId), now = place(event);
      if (before && this.pointers.size === 2) {
        this.#pinch(event.pointerId, before, now);
      } else if (before && this.panning) {
        this.viewer.pan(now.x - before.x, now.y - before.y);
      } else if (before && !this.byKey) {
        const steps = event.getCoalescedEvents?.() ?? [];
        for (const step of steps.length ? steps : [event]) this.move(place(step));
      }
      if (before) this.pointers.set(event.pointerId, now);
      this.at = now;
      this.outline();
    });
    const end = (/** @type {PointerEvent} */ event) => {
      const alone = this.pointers.size === 1 && this.pointers.has(event.pointerId);
      this.pointers.delete(event.pointerId);
      if (alone && event.type === "pointercancel") this.drop();
      else if (alone && !this.panning && !this.byKey) this.lift();
      if (!this.pointers.size) this.panning = false;
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("pointerleave", () => {
      if (!this.byKey && !this.drawing) {
        this.at = null;
        this.outline();
      }
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const turn = event.deltaY || event.deltaX;
      if (event.altKey) this.resize(this.size * (turn < 0 ? 1.15 : 1 / 1.15) + (turn < 0 ? 1 : -1));
      else this.viewer.zoom(Math.exp(-Math.max(-240, Math.min(240, turn)) / 480), place(event));
      this.outline();
    }, { passive: false });
    canvas.addEventListener("auxclick", (event) => event.preventDefault());
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  /** Two fingers move and zoom. @param {number} id @param {Point} before @param {Point} now */
  #pinch(id, before, now) {
    const other = /** @type {Point} */ ([...this.pointers].find(([key]) => key !== id)?.[1]);
    const apart = (/** @type {Point} */ point) => Math.hypot(point.x - other.x, point.y - other.y);
    this.viewer.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    if (apart(before) > 0) this.viewer.zoom(apart(now) / apart(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  }

  /** Put the tool down. @param {Point} at in the frame @param {boolean} takes */
  press(at, takes) {
    const point = this.viewer.inPicture(at);
    this.takes = takes || this.tool === "eraser";
    this.at = at;
    if (this.tool === "colour") {
      this.picked(point, takes);
      return;
    }
    this.trail = [point];
    if (this.tool === "brush" || this.tool === "eraser") this.#draw(point, point);
    this.outline();
  }

  /** Move the tool that is down. @param {Point} at in the frame */
  move(at) {
    this.at = at;
    if (!this.drawing) return;
    const point = this.viewer.inPicture(at), last = this.trail[this.trail.length - 1];
    if (this.tool === "brush" || this.tool === "eraser") this.#draw(last, point);
    if (this.tool === "lasso") this.trail.push(point);
    else this.trail[this.tool === "box" ? 1 : 0] = point;
  }

  /** Take the tool up: the stroke is done. */
  lift() {
    if (!this.drawing || !this.mask) return;
    const value = this.takes ? 0 : 1, [first, last] = this.trail;
    if (this.tool === "lasso" && this.trail.length > 2) this.viewer.drawMask(this.mask.polygon(this.trail, value));
    if (this.tool === "box" && last) {
      const left = Math.round(Math.min(first.x, last.x)), top = Math.round(Math.min(first.y, last.y));
      const right = Math.round(Math.max(first.x, last.x)), bottom = Math.round(Math.max(first.y, last.y));
      const box = /** @type {Box} */ ([Math.max(0, left), Math.max(0, top), right - Math.max(0, left), bottom - Math.max(0, top)]);
      if (box[2] > 0 && box[3] > 0) this.viewer.drawMask(this.mask.box(box, value));
    }
    this.trail = [];
    this.byKey = false;
    this.outline();
    this.finished();
  }

  /** @param {Point} from @param {Point} to */
  #draw(from, to) {
    if (this.mask) this.viewer.drawMask(this.mask.line(from, to, this.size / 2, this.takes ? 0 : 1));
  }

  /** A key on the picture; returns whether it was of use. @param {KeyboardEvent} event */
  key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way && this.tool === "hand") {
      this.viewer.pan(-way[0] * 48, -way[1] * 48);
    } else if (way) {
      const frame = this.viewer.frame, from = this.at ?? { x: frame.clientWidth / 2, y: frame.clientHeight / 2 };
      const step = event.shiftKey ? this.viewer.scale / this.viewer.ratio : STEP;
      const to = { x: from.x + way[0] * step, y: from.y + way[1] * step };
      this.at = { x: Math.min(frame.clientWidth, Math.max(0, to.x)), y: Math.min(frame.clientHeight, Math.max(0, to.y)) };
      if (this.byKey) this.move(this.at);
      if (this.at.x !== to.x || this.at.y !== to.y) this.viewer.pan(this.at.x - to.x, this.at.y - to.y);
    } else if (event.key === "Enter" && this.tool !== "hand") {
      const frame = this.viewer.frame;
      if (this.drawing) this.lift();
      else {
        this.press(this.at ?? { x: frame.clientWidth / 2, y: frame.clientHeight / 2 }, event.altKey);
        this.byKey = this.drawing;
      }
    } else {
      return false;
    }
    this.outline();
    return true;
  }

  /** Draw the tool: a circle, a cross, a box or a line. */
  outline() {
    const canvas = this.viewer.guide, pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")), ratio = this.viewer.ratio;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.viewer.scene || !this.at || this.tool === "hand" || this.held) return;
    const path = new Path2D(), { x, y } = { x: this.at.x * ratio, y: this.at.y * ratio };
    if (this.tool === "brush" || this.tool === "eraser") {
      path.arc(x, y, Math.max(1, (this.size / 2) * this.viewer.scale), 0, 2 * Math.PI);
    } else {
      path.moveTo(x - 8 * ratio, y);
      path.lineTo(x + 8 * ratio, y);
      path.moveTo(x, y - 8 * ratio);
      path.lineTo(x, y + 8 * ratio);
    }
    const seen = this.trail.map((point) => this.viewer.inFrame(point));
    if (this.tool === "lasso") seen.forEach((point, number) => (number ? path.lineTo(point.x * ratio, point.y * ratio) : path.moveTo(point.x * ratio, point.y * ratio)));
    if (this.tool === "box" && seen.length > 1) path.rect(seen[0].x * ratio, seen[0].y * ratio, (seen[1].x - seen[0].x) * ratio, (seen[1].y - seen[0].y) * ratio);
    pen.lineWidth = 3 * ratio;
    pen.strokeStyle = "#000";
    pen.stroke(path);
    pen.lineWidth = 1.5 * ratio;
    pen.strokeStyle = this.tool === "eraser" || this.takes && this.drawing ? "#8cf" : "#fff";
    pen.stroke(path);
  }
}
