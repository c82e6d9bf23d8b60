// The mask: its tools, and what the server finds for it.

import { the } from "./controls.js";
import { attempt, button, calls, controls, desk, input, note, painter, part, server, viewer } from "./desk.js";
import { refresh } from "./screen.js";
import { say } from "./texts.js";
import { start } from "./work.js";

/** @typedef {import("./painter.js").Tool} Tool */

export function showTools() {
  for (const element of document.querySelectorAll("[data-tool]")) {
    const one = /** @type {HTMLElement} */ (element);
    one.setAttribute("aria-checked", String(one.dataset.tool === painter.tool));
    one.tabIndex = one.dataset.tool === painter.tool ? 0 : -1;
  }
  for (const element of document.querySelectorAll("[data-for]")) {
    const one = /** @type {HTMLElement} */ (element);
    one.hidden = !(one.dataset.for ?? "").split(" ").includes(painter.tool);
  }
  input("brush").value = String(Math.round(Math.log(painter.size) * (1000 / Math.log(1000))));
  the("brush-size", HTMLOutputElement).textContent = say("pixels", { count: painter.size });
}

/** @param {Tool} tool */
export function use(tool) {
  if (controls.kind !== "inpaint") openTab("inpaint");
  painter.choose(tool);
  showTools();
}

export function stroked() {
  const photo = desk.current;
  if (!photo) return;
  photo.did(photo.mask.end());
  button("undo").disabled = !photo.done.length;
  button("redo").disabled = !photo.undone.length;
  if (input("at-once").checked && !painter.takes && !photo.mask.empty) start([photo]);
  else calls.set();
}

/** Mark what the server found. @param {ArrayBuffer} message @param {boolean} [takes] */
export function mark(message, takes = false) {
  if (!desk.current) return;
  if (message.byteLength <= 16) note(say("nothingNear"));
  viewer.drawMask(desk.current.mask.add(message, takes ? 0 : 1));
  painter.takes = takes;
  stroked();
}

painter.finished = stroked;
painter.resized = showTools;
painter.picked = (point, takes) => attempt(async () => {
  if (!desk.current) return;
  const where = { x: Math.floor(point.x), y: Math.floor(point.y), tolerance: input("tolerance").valueAsNumber, joined: input("joined").checked };
  const answer = await server.send("colour", { photo: desk.current.number, version: desk.current.version.version, ...where }, "");
  mark(await answer.arrayBuffer(), takes);
});

/** @param {boolean} again */
export function turn(again) {
  painter.drop();
  if (desk.current?.turn(again)) refresh();
}

/** @param {"restore" | "inpaint" | "upscale"} kind */
export function openTab(kind) {
  for (const one of ["restore", "inpaint", "upscale"]) {
    part(one).hidden = one !== kind;
    button(`tab-${one}`).setAttribute("aria-selected", String(one === kind));
    button(`tab-${one}`).tabIndex = one === kind ? 0 : -1;
  }
  painter.choose(kind === "inpaint" ? "brush" : "hand");
  if (kind === "inpaint" && viewer.look !== "after") viewer.look = "after";
  refresh();
}
