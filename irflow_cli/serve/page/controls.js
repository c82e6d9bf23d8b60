// The panel on the right: what the forms say, as steps for the server.

import { fillTexts, say } from "./texts.js";

/** @typedef {import("./types.js").Menu} Menu */

/** Return an element of the page. @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
export function the(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`no ${kind.name} #${id}`);
  return element;
}

/** Return a field's number, or null where it is empty. @param {HTMLInputElement} input */
function numberOf(input) {
  return input.value === "" || Number.isNaN(input.valueAsNumber) ? null : input.valueAsNumber;
}

/** @param {string} id */
const field = (id) => the(id, HTMLInputElement);
/** @param {string} id */
const choice = (id) => the(id, HTMLSelectElement);

const TASK_NAMES = /** @type {Record<string, string>} */ ({ derain: "taskDerain", denoise: "taskDenoise", deraindrop: "taskDeraindrop" });

export class Controls {
  /** @param {Menu} menu @param {() => void} changed called when a setting is another */
  constructor(menu, changed) {
    this.menu = menu;
    this.changed = changed;
    for (const [id, presets] of /** @type {[string, string[]][]} */ ([["fill-preset", menu.presets.inpaint], ["large-preset", menu.presets.upscale]])) {
      choice(id).append(new Option(say("presetUsual"), ""), ...presets.map((name) => new Option(name, name)));
    }
    const formats = ["png", "tiff", "jpg", "webp", "avif"];
    choice("format").append(new Option(say("asInput"), ""), ...formats.map((name) => new Option(name.toUpperCase(), name)));
    field("count").max = String(menu.proposals);
    this.addPass();
    the("add-pass", HTMLButtonElement).onclick = () => {
      this.addPass().querySelector("select")?.focus();
      changed();
    };
    for (const form of ["restore", "inpaint", "upscale", "storing"]) {
      the(form, HTMLElement).addEventListener("input", changed);
    }
  }

  /** Add a task to those that are done in order. @returns {HTMLElement} */
  addPass() {
    const template = the("pass", HTMLTemplateElement), list = the("passes", HTMLOListElement);
    const item = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
    fillTexts(item);
    const find = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (item.querySelector(`.${name}`));
    const task = /** @type {HTMLSelectElement} */ (item.querySelector(".task"));
    task.append(...this.menu.tasks.map((one) => new Option(TASK_NAMES[one.task] ? say(TASK_NAMES[one.task]) : one.task, one.task)));
    const taken = [...list.querySelectorAll(".task")].map((other) => /** @type {HTMLSelectElement} */ (other).value);
    task.value = this.menu.tasks.find((one) => !taken.includes(one.task))?.task ?? this.menu.tasks[0].task;
    const show = () => {
      const about = this.menu.tasks.find((one) => one.task === task.value);
      find("summary").textContent = about?.summary ?? "";
      find("steps").placeholder = String(about?.steps ?? "");
      find("noise").hidden = about?.sigma == null;
      find("strength-size").textContent = `${find("strength").value} %`;
    };
    item.addEventListener("input", show);
    find("remove").onclick = () => {
      item.remove();
      this.#several();
      this.changed();
    };
    list.append(item);
    show();
    this.#several();
    return item;
  }

  #several() {
    const items = document.querySelectorAll("#passes .remove");
    for (const item of items) /** @type {HTMLElement} */ (item).hidden = items.length < 2;
  }

  /** Which form is open. @returns {"restore" | "inpaint" | "upscale"} */
  get kind() {
    for (const kind of /** @type {const} */ (["restore", "inpaint", "upscale"])) if (!the(kind, HTMLElement).hidden) return kind;
    return "restore";
  }

  /** What the open form asks for, as steps. @returns {object[]} */
  get steps() {
    if (this.kind === "restore") return [...document.querySelectorAll("#passes > li")].map((item) => this.#pass(item));
    if (this.kind === "inpaint") {
      const numbers = { seed: numberOf(field("fill-seed")), dilate: numberOf(field("dilate")), feather: numberOf(field("feather")) };
      return [{ kind: "inpaint", preset: choice("fill-preset").value || null, ...numbers }];
    }
    const preset = choice("large-preset").value || null;
    return [{ kind: "upscale", scale: Number(choice("scale").value), operator: choice("operator").value, preset }];
  }

  /** @param {Element} item */
  #pass(item) {
    const find = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (item.querySelector(`.${name}`));
    const task = find("task").value, noisy = !find("noise").hidden;
    const sigma = noisy ? numberOf(find("sigma")) : null;
    return { kind: "restore", task, steps: numberOf(find("steps")), strength: find("strength").valueAsNumber / 100, sigma };
  }

  /** How many proposals are wanted. */
  get count() {
    return this.kind === "inpaint" ? numberOf(field("count")) ?? 1 : 1;
  }

  /** How a result is to be stored. */
  get wish() {
    const format = choice("format").value || null, quality = numberOf(field("quality"));
    return { format, quality, lossless: field("lossless").checked, metadata: choice("metadata").value };
  }
}

/** Draw how many values changed by how much: a column a grey level, heights as logarithms. @param {HTMLCanvasElement} canvas
 * @param {number[]} counts */
export function drawHistogram(canvas, counts) {
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")), style = getComputedStyle(canvas);
  const last = Math.max(15, counts.findLastIndex((count) => count > 0)), most = Math.log1p(Math.max(...counts));
  const wide = canvas.width / (last + 1), high = canvas.height - 22;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = getComputedStyle(/** @type {Element} */ (canvas.parentElement)).color;
  pen.font = "18px system-ui, sans-serif";
  pen.fillText("0", 0, canvas.height - 3);
  pen.textAlign = "right";
  pen.fillText(String(last), canvas.width, canvas.height - 3);
  pen.textAlign = "left";
  pen.fillStyle = style.color; // the accent
  counts.slice(0, last + 1).forEach((count, level) => {
    const tall = most > 0 ? (Math.log1p(count) / most) * high : 0;
    pen.fillRect(level * wide + 0.5, high - tall, Math.max(1, wide - 1), tall);
  });
}
