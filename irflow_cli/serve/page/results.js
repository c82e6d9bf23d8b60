// Results: what was done, what it changed, where it is saved, and the command that does the same.

import { Refused } from "./api.js";
import { drawHistogram, the } from "./controls.js";
import { attempt, attemptWrite, button, calls, controls, desk, menu, note, part, server } from "./desk.js";
import { listFolder, showList } from "./list.js";
import { say, sentence } from "./texts.js";

/** @typedef {import("./photo.js").Photo} Photo */

let requests = 0; // for a command line, to know the latest

export function showResult() {
  const photo = desk.current, version = photo?.version, opened = photo?.about;
  const changed = Boolean(photo && photo.now);
  part("what").textContent = changed && version ? say("resultSteps", { steps: version.steps.join(" → "), width: version.width, height: version.height }) : say("resultNone");
  button("save").disabled = !changed || menu.read_only;
  button("download").disabled = !changed;
  button("save").hidden = menu.read_only;
  button("save-mask").hidden = menu.read_only;
  const near = controls.kind === "inpaint" && opened?.mask;
  button("near-mask").hidden = !near;
  if (near) button("near-mask").textContent = say("nearMask", { name: near.split("/").pop() });
  const depth = { uint8: "depth8", uint16: "depth16", float32: "depthFloat" }[opened?.depth ?? ""] ?? "depth8";
  part("about").textContent = opened && version ? say("about", { name: opened.name, width: version.width, height: version.height, format: opened.format, depth: say(depth) }) : "";
}

/** The message that names what is shown, and how it is to be stored. @param {Photo} photo */
export const shown = (photo) => ({ photo: photo.number, version: photo.now, ...controls.wish });

/** @param {Photo} photo */
export async function save(photo) {
  const number = photo.now, message = shown(photo); // as it is now: its turn may come later
  if (photo.saving.has(number)) return; // pressed twice
  photo.saving.add(number);
  const done = await attemptWrite((overwrite) => server.ask("save", { ...message, overwrite })).finally(() => photo.saving.delete(number));
  if (!done) return;
  photo.saved.add(number);
  note([say("saved", { path: done.path }), ...done.notes.map(sentence)].join(" "));
  listFolder(desk.place);
  showList();
}

/** Hand over a file that the server makes. @param {string} what @param {object} message @param {BodyInit} [body] */
export async function download(what, message, body) {
  return attempt(async () => {
    const answer = await server.send(what, message, body ?? "");
    const name = decodeURIComponent((answer.headers.get("content-disposition") ?? "").split("''")[1] ?? "result");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    return true;
  });
}

export async function tellCommand() {
  const photo = desk.current, turn = ++requests, line = part("command");
  const next = desk.planning || !photo?.now;
  button("copy").disabled = !photo;
  const tell = (/** @type {string} */ text) => {
    if (turn !== requests) return;
    line.textContent = text;
    part("typed-title").textContent = say(next ? "commandNext" : "commandDone");
    line.setAttribute("aria-busy", "false");
  };
  if (!photo || desk.gone) {
    tell("");
    return;
  }
  line.setAttribute("aria-busy", "true"); // it is still that of before
  try {
    const answer = await server.ask("command", { ...shown(photo), ...(next ? { version: photo.base(controls.kind).version, steps: controls.steps } : {}) });
    tell(answer.command);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell(error.message);
  }
}

export async function tellChanges() {
  const photo = desk.current, text = part("changed-text"), canvas = the("histogram", HTMLCanvasElement);
  if (!the("changed", HTMLDetailsElement).open) return;
  const alike = photo && photo.now && photo.version.width === photo.before.width;
  canvas.hidden = !alike;
  text.textContent = say("changesNone");
  if (!photo || !alike) return;
  const found = await attempt(() => server.ask("changes", { photo: photo.number, version: photo.now, against: 0 }));
  if (!found || photo !== desk.current) return;
  const total = found.counts.reduce((/** @type {number} */ sum, /** @type {number} */ count) => sum + count, 0);
  const small = (100 * (found.counts[0] + found.counts[1])) / total, most = found.most.toFixed(0);
  text.textContent = say("changesText", { share: (100 * found.share).toFixed(found.share < 0.1 ? 2 : 0), mean: found.mean.toFixed(2), most });
  canvas.setAttribute("aria-label", `${say("histogram")}. ${say("histogramText", { share: small.toFixed(1), most })}`);
  drawHistogram(canvas, found.counts);
}

calls.set = () => {
  desk.planning = true;
  tellCommand();
};
