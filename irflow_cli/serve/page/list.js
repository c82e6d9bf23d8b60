// The photographs that are open, and those of the folder.

import { attempt, button, desk, menu, note, painter, part, photos, refill, server } from "./desk.js";
import { Photo } from "./photo.js";
import { refresh } from "./screen.js";
import { say, sentence } from "./texts.js";
import { coarsest } from "./viewer.js";

/** @param {string} path */
export async function openPath(path) {
  note(say("opening", { name: path }));
  const opened = await attempt(() => server.ask("open", { path }));
  if (opened) take(opened);
}

/** @param {Iterable<File>} files */
export async function openFiles(files) {
  for (const file of files) {
    note(say("opening", { name: file.name }));
    const opened = await attempt(async () => (await server.send("drop", { name: file.name }, file)).json());
    if (opened) take(opened);
  }
}

/** @param {import("./types.js").Opened} opened */
export function take(opened) {
  const photo = new Photo(opened);
  photos.set(photo.number, photo);
  document.body.classList.remove("listing"); // which covers the picture where there is little room
  button("show-photos").setAttribute("aria-expanded", "false");
  part("notices").replaceChildren();
  if (opened.notes.length) note(opened.notes.map(sentence).join(" "));
  choose(photo);
}

/** @param {Photo | null} photo */
export function choose(photo) {
  painter.drop();
  desk.current = photo;
  if (photo) painter.resize(Math.max(8, Math.round(Math.max(photo.version.width, photo.version.height) / 60)));
  refresh(true);
}

export async function closePhoto() {
  if (!desk.current) return;
  const number = desk.current.number, order = [...photos.keys()], at = order.indexOf(number);
  photos.delete(number);
  choose(photos.get(order[at + 1]) ?? photos.get(order[at - 1]) ?? null);
  await attempt(() => server.ask("close", { photo: number }));
}

/** Show in the list what is shown of a photograph; a little later, for the picture itself comes first. @param {Photo} photo */
function showThumb(photo) {
  const { version } = photo;
  if (photo.pictured === version.version) return;
  const first = photo.pictured < 0;
  photo.pictured = version.version;
  const about = { photo: photo.number, version: version.version, level: coarsest(version), column: 0, row: 0 };
  setTimeout(() => (photo.thumb.src = server.address("tile", about)), first ? 0 : 250);
}

/** Return a file's name in an element, which goes on in the next line before a dot where it is long. @param {string} name */
function named(name) {
  const element = document.createElement("span");
  element.append(...name.split(/(?=\.)/).flatMap((piece, at) => (at ? [document.createElement("wbr"), piece] : [piece])));
  return element;
}

export function showList() {
  part("none-open").hidden = photos.size > 0;
  refill(part("opened"), [...photos.values()].map((photo) => {
    const item = document.createElement("li"), pick = document.createElement("button");
    const name = named(photo.about.name), state = document.createElement("span");
    showThumb(photo);
    state.textContent = photo.state;
    state.className = "state";
    pick.append(photo.thumb, name, state);
    pick.title = photo.about.name;
    pick.setAttribute("aria-current", String(photo === desk.current));
    pick.onclick = () => choose(photo);
    item.append(pick);
    return item;
  }));
  for (const all of document.querySelectorAll("button.all")) {
    /** @type {HTMLElement} */ (all).hidden = photos.size < 2;
    all.textContent = say("runAll", { count: photos.size });
  }
  const unsaved = [...photos.values()].filter((photo) => photo.unsaved).length; // until the last of them is written
  button("save-all").hidden = photos.size < 2 || !unsaved || menu.read_only;
  button("save-all").textContent = say("saveAll", { count: unsaved });
}

/** List a folder below the one that is served. @param {string} path @param {Promise<any>} [answer] what was asked for already */
export async function listFolder(path, answer) {
  const found = await attempt(() => answer ?? server.look("list", { path }));
  if (!found) return;
  desk.place = path;
  const names = path.split("/").filter(Boolean);
  refill(part("crumbs"), ["", ...names].map((name, number) => {
    const crumb = document.createElement("button");
    crumb.textContent = number ? name : menu.folder === "." ? say("folderTop") : menu.folder;
    crumb.className = "quiet";
    crumb.onclick = () => listFolder(names.slice(0, number).join("/"));
    return crumb;
  }));
  const entries = /** @type {{path: string, size: number | null}[]} */ (found.entries);
  refill(part("entries"), entries.map((entry) => {
    const item = document.createElement("li"), pick = document.createElement("button"), size = document.createElement("span");
    const name = named((entry.path.split("/").pop() ?? "") + (entry.size === null ? "/" : ""));
    size.textContent = entry.size === null ? "" : entry.size < 1e6 ? say("kilobytes", { count: Math.ceil(entry.size / 1e3) }) : say("megabytes", { count: (entry.size / 1e6).toFixed(1) });
    size.className = "state";
    pick.append(name, size);
    pick.onclick = () => (entry.size === null ? listFolder(entry.path) : openPath(entry.path));
    item.append(pick);
    return item;
  }));
  if (!entries.length) {
    const none = document.createElement("li");
    none.textContent = say("folderEmpty");
    none.className = "hint";
    part("entries").append(none);
  }
}
