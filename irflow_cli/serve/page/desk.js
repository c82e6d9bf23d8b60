// What the page works with, brought together once: the server, the picture, the tools, the panel; and how it speaks.

import { Refused, Server } from "./api.js";
import { Controls, the } from "./controls.js";
import { Painter } from "./painter.js";
import { fillTexts, say } from "./texts.js";
import { Viewer } from "./viewer.js";

/** @param {string} id */
export const button = (id) => the(id, HTMLButtonElement);
/** @param {string} id */
export const input = (id) => the(id, HTMLInputElement);
/** @param {string} id */
export const part = (id) => the(id, HTMLElement);

fillTexts(document);

/** What changes. */
export const desk = {
  /** @type {import("./photo.js").Photo | null} */
  current: null,
  gone: false, // the server
  planning: false, // the settings are about what comes next, not about what is shown
  place: "", // the folder that is listed
};
/** Photographs that are open. @type {Map<number, import("./photo.js").Photo>} */
export const photos = new Map();
/** What waits or is worked on, by its number. @type {Map<number, import("./types.js").WorkNews>} */
export const queue = new Map();
/** Called when something is another: for modules that come later. */
export const calls = { heard: (/** @type {import("./types.js").News} */ news) => {}, lost: () => {}, set: () => {} };

export const server = new Server((news) => calls.heard(news), lost);
export const viewer = new Viewer(part("frame"), server);
export const painter = new Painter(viewer);
/** What lies in the folder; asked for together with the rest. */
export const listed = server.look("list");
listed.catch(() => {}); // whoever waits for it says so
export const menu = /** @type {import("./types.js").Menu} */ (await server.look("menu"));
export const controls = new Controls(menu, () => calls.set());

/** Put new things into a list; the button that has the focus is followed by the one in its place. @param {HTMLElement} list
 * @param {Node[]} items */
export function refill(list, items) {
  const at = [...list.querySelectorAll("button")].indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
  list.replaceChildren(...items);
  const buttons = list.querySelectorAll("button");
  if (at >= 0) buttons[Math.min(at, buttons.length - 1)]?.focus();
}

/** Say something in passing. @param {string} text */
export function note(text) {
  const line = document.createElement("p");
  line.textContent = text;
  part("notices").replaceChildren(line);
  setTimeout(() => line.remove(), 6000);
}

/** Say what went wrong; stays until it is closed or something else goes wrong. @param {string} text */
export function alarm(text) {
  if (!text) return;
  const line = document.createElement("p"), close = document.createElement("button");
  line.textContent = text;
  close.textContent = "×";
  close.setAttribute("aria-label", say("close"));
  close.onclick = () => part("alerts").replaceChildren();
  line.append(close);
  part("alerts").replaceChildren(line);
}

export function lost() {
  if (desk.gone) return;
  desk.gone = true;
  alarm(say("lost"));
  queue.clear();
  document.body.classList.add("lost");
  calls.lost();
}

/** Do something, and say why where it fails. @template T @param {() => Promise<T>} work @returns {Promise<T | undefined>} */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    alarm(error.message);
    return undefined;
  }
}

let writes = /** @type {Promise<any>} */ (Promise.resolve());

/** Do something that may meet a file of the same name, and ask whether to replace it; one after another, for there is one question
 * at a time. @param {(overwrite: boolean) => Promise<any>} work */
export function attemptWrite(work) {
  const mine = writes.then(() => attempt(() => write(work)));
  writes = mine.catch(() => {});
  return mine;
}

/** @param {(overwrite: boolean) => Promise<any>} work */
async function write(work) {
  try {
    return await work(false);
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 409) throw error;
    const dialog = the("sure", HTMLDialogElement);
    part("sure-text").textContent = say("exists", { error: error.message.replace(/;.*/, "") });
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    return dialog.returnValue === "yes" ? work(true) : undefined;
  }
}
