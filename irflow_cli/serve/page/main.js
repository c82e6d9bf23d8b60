// Buttons, forms and keys: what a person does, and what follows.

import { Refused } from "./api.js";
import { the } from "./controls.js";
import { alarm, attempt, attemptWrite, button, desk, input, listed, menu, note, painter, part, photos, queue, server, viewer } from "./desk.js";
import { mark, openTab, stroked, turn, use } from "./marking.js";
import { download, save, shown, tellChanges } from "./results.js";
import { look, slide } from "./screen.js";
import { choose, closePhoto, listFolder, openFiles, showList } from "./list.js";
import { KEYS, say } from "./texts.js";
import { start } from "./work.js";

/** @typedef {import("./viewer.js").Look} Look */
/** @typedef {import("./painter.js").Tool} Tool */

const USABLE = "button:not(:disabled)";

/** Let arrow keys go from one button of a group to the next. @param {HTMLElement} group */
function roving(group) {
  group.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const items = /** @type {HTMLButtonElement[]} */ ([...group.querySelectorAll(USABLE)]), at = items.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    if (!way || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = (at + way + items.length) % items.length;
    items[next].click();
    /** @type {HTMLButtonElement} */ (group.querySelectorAll(USABLE)[next]).focus(); // which may be another now
  });
}

for (const group of document.querySelectorAll("[role=radiogroup], [role=tablist]")) roving(/** @type {HTMLElement} */ (group));
for (const element of document.querySelectorAll("[data-view]")) {
  const one = /** @type {HTMLElement} */ (element);
  one.onclick = () => look(/** @type {Look} */ (one.dataset.view));
}
for (const element of document.querySelectorAll("[data-tool]")) {
  const one = /** @type {HTMLElement} */ (element);
  one.onclick = () => use(/** @type {Tool} */ (one.dataset.tool));
}
for (const kind of /** @type {const} */ (["restore", "inpaint", "upscale"])) {
  button(`tab-${kind}`).onclick = () => openTab(kind);
  the(kind, HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    start(desk.current ? [desk.current] : []);
  });
}
for (const all of document.querySelectorAll("button.all")) all.addEventListener("click", () => start([...photos.values()]));
button("pick").onclick = button("pick-too").onclick = () => input("files").click();
input("files").onchange = () => {
  openFiles([...(input("files").files ?? [])]);
  input("files").value = "";
};
button("close-photo").onclick = closePhoto;
button("zoom-out").onclick = () => viewer.zoom(1 / 1.4);
button("zoom-in").onclick = () => viewer.zoom(1.4);
button("zoom-one").onclick = () => viewer.zoomTo(1);
button("zoom-fit").onclick = () => viewer.fit();
button("undo").onclick = () => turn(false);
button("redo").onclick = () => turn(true);
button("cancel").onclick = () => attempt(() => server.ask("cancel"));
button("save").onclick = () => desk.current && save(desk.current);
button("save-all").onclick = () => {
  for (const photo of photos.values()) if (photo.unsaved) save(photo);
};
button("download").onclick = async () => {
  const photo = desk.current, number = photo?.now;
  if (photo && number && (await download("download", shown(photo)))) photo.saved.add(number);
  showList();
};
button("copy").onclick = async () => {
  await navigator.clipboard.writeText(part("command").textContent ?? "");
  note(say("copied"));
};
button("show-photos").onclick = () => {
  const open = document.body.classList.toggle("listing");
  button("show-photos").setAttribute("aria-expanded", String(open));
};
button("ask-help").onclick = () => the("help", HTMLDialogElement).showModal();
the("changed", HTMLDetailsElement).ontoggle = tellChanges;
input("gain").oninput = () => {
  viewer.gain = input("gain").valueAsNumber;
  the("gain-size", HTMLOutputElement).textContent = say("times", { count: viewer.gain });
  if (viewer.look === "difference") viewer.draw();
};
input("brush").oninput = () => painter.resize(Math.exp((input("brush").valueAsNumber * Math.log(1000)) / 1000));
input("tolerance").oninput = () => (the("tolerance-size", HTMLOutputElement).textContent = input("tolerance").value);
input("show-mask").onchange = () => {
  viewer.maskShown = input("show-mask").checked;
  viewer.draw();
};
button("clear-mask").onclick = () => {
  if (!desk.current) return;
  desk.current.mask.clear();
  painter.takes = true;
  stroked();
  viewer.draw();
};
button("add-box").onclick = () => {
  if (!desk.current) return;
  const [x, y, wide, high] = ["box-x", "box-y", "box-width", "box-height"].map((id) => input(id).valueAsNumber || 0);
  viewer.drawMask(desk.current.mask.box([x, y, wide, high], 1));
  painter.takes = false;
  stroked();
};
button("load-mask").onclick = () => input("mask-file").click();
input("mask-file").onchange = () => attempt(async () => {
  const file = input("mask-file").files?.[0];
  input("mask-file").value = "";
  if (!file || !desk.current) return;
  const answer = await server.send("read_mask", { photo: desk.current.number, version: desk.current.version.version, name: file.name }, file);
  mark(await answer.arrayBuffer());
});
button("near-mask").onclick = () => attempt(async () => {
  if (!desk.current?.about.mask) return;
  const answer = await server.send("read_mask", { photo: desk.current.number, version: desk.current.version.version, path: desk.current.about.mask }, "");
  mark(await answer.arrayBuffer());
});
button("save-mask").onclick = () => attemptWrite(async (overwrite) => {
  if (!desk.current) return;
  if (desk.current.mask.empty && desk.current.now) {
    const done = await server.ask("masks", { ...shown(desk.current), overwrite });
    note(say("saved", { path: done.paths.join(", ") }));
  } else {
    if (desk.current.mask.empty) throw new Refused(400, say("maskEmpty"));
    const done = await (await server.send("mask_file", { photo: desk.current.number, version: desk.current.now, beside: true, overwrite }, desk.current.mask.message())).json();
    note(say("saved", { path: done.path }));
  }
  listFolder(desk.place);
});
button("download-mask").onclick = () => desk.current && (desk.current.mask.empty ? alarm(say("maskEmpty")) : download("mask_file", { photo: desk.current.number, version: desk.current.now }, desk.current.mask.message()));

const handle = part("handle");
handle.addEventListener("pointerdown", (event) => {
  handle.setPointerCapture(event.pointerId);
  handle.onpointermove = (move) => slide((move.clientX - part("frame").getBoundingClientRect().left) / part("frame").clientWidth);
  handle.onpointerup = () => (handle.onpointermove = null);
});
handle.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
  if (!way) return;
  event.preventDefault();
  event.stopPropagation();
  slide(viewer.split + way);
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  viewer.draw();
  tellChanges();
});

window.addEventListener("beforeunload", (event) => {
  const unsaved = [...photos.values()].some((photo) => photo.unsaved);
  if (queue.size || (unsaved && !desk.gone)) event.preventDefault();
});

let over = 0; // how deep something is dragged over the page
for (const kind of ["dragenter", "dragleave", "dragover", "drop"]) {
  window.addEventListener(kind, (event) => {
    event.preventDefault();
    over += { dragenter: 1, dragleave: -1, drop: -over }[kind] ?? 0;
    part("drop").hidden = over <= 0;
    if (kind === "drop") openFiles([...(/** @type {DragEvent} */ (event).dataTransfer?.files ?? [])]);
  });
}

/** What keys do, alone and with Ctrl. @type {Record<string, () => void>} */
const ALONE = {
  a: () => look("after"), q: () => look("before"), s: () => look("slider"), d: () => look("difference"),
  1: () => viewer.zoomTo(1), 0: () => viewer.fit(), "+": () => viewer.zoom(1.4), "=": () => viewer.zoom(1.4), "-": () => viewer.zoom(1 / 1.4),
  h: () => use("hand"), b: () => use("brush"), e: () => use("eraser"), r: () => use("box"), l: () => use("lasso"), c: () => use("colour"),
  "[": () => painter.resize(painter.size / 1.15 - 1), "]": () => painter.resize(painter.size * 1.15 + 1),
  m: () => input("show-mask").click(), "?": () => the("help", HTMLDialogElement).showModal(),
  PageUp: () => step(-1), PageDown: () => step(1),
  Escape: () => (painter.drawing ? painter.drop() : queue.size ? void attempt(() => server.ask("cancel")) : part("alerts").replaceChildren()),
};
/** @type {Record<string, (shift: boolean) => void>} */
const WITH_CTRL = {
  z: (shift) => turn(shift), y: () => turn(true), s: () => void (button("save").disabled || !desk.current || save(desk.current)),
  o: () => input("files").click(), Enter: () => void start(desk.current ? [desk.current] : []),
};

/** Go to a photograph before or after. @param {number} way */
function step(way) {
  const order = [...photos.values()], at = desk.current ? order.indexOf(desk.current) : -1;
  if (order.length) choose(order[(at + way + order.length) % order.length]);
}

window.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (document.querySelector("dialog[open]")) return;
  const typing = target.matches("input:not([type=range]):not([type=checkbox]), select, textarea");
  if (event.ctrlKey || event.metaKey) {
    const act = WITH_CTRL[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || (typing && event.key !== "Enter" && event.key !== "s" && event.key !== "o")) return;
    event.preventDefault();
    act(event.shiftKey);
    return;
  }
  if (typing || (event.altKey && event.key !== "Enter")) return;
  const onPicture = target === viewer.marks || target === document.body;
  if (event.key === " " && onPicture) {
    painter.held = true;
    event.preventDefault();
    return;
  }
  if (onPicture && viewer.scene && painter.key(event)) {
    event.preventDefault();
    return;
  }
  const act = ALONE[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || (target.matches("input[type=range]") && event.key.startsWith("Page"))) return;
  event.preventDefault();
  act();
});
window.addEventListener("keyup", (event) => {
  if (event.key === " ") painter.held = false;
});

part("keys").replaceChildren(...KEYS.flatMap(([keys, does]) => {
  const term = document.createElement("dt"), meaning = document.createElement("dd");
  term.textContent = keys;
  meaning.textContent = does;
  return [term, meaning];
}));
part("served").textContent = menu.folder === "." ? "" : menu.folder;
openTab("restore");
await listFolder("", listed);
document.body.dataset.ready = "yes";
requestAnimationFrame(() => setTimeout(() => server.connect())); // when it is seen
