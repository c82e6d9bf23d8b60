// The page: photographs, the picture, the panel and the keys, brought together.

import { Refused, Server } from "./api.js";
import { Controls, drawHistogram, the } from "./controls.js";
import { Painter } from "./painter.js";
import { Photo } from "./photo.js";
import { fillTexts, KEYS, say } from "./texts.js";
import { Viewer } from "./viewer.js";

/** @typedef {import("./types.js").JobNews} JobNews */
/** @typedef {import("./viewer.js").Look} Look */
/** @typedef {import("./painter.js").Tool} Tool */

/** @param {string} id */
const button = (id) => the(id, HTMLButtonElement);
/** @param {string} id */
const input = (id) => the(id, HTMLInputElement);
/** @param {string} id */
const part = (id) => the(id, HTMLElement);

fillTexts(document);

/** @type {Map<number, Photo>} */
const photos = new Map();
/** Jobs that wait or run, by their number. @type {Map<number, JobNews>} */
const jobs = new Map();
/** @type {Photo | null} */
let current = null;
let gone = false; // the server
let place = ""; // the folder that is listed
let asked = 0; // for a command line, to know the latest

const server = new Server(heard, lost);
const viewer = new Viewer(part("frame"), server);
const painter = new Painter(viewer);
await server.connect();
const menu = /** @type {import("./types.js").Menu} */ (await server.ask("menu"));
const controls = new Controls(menu, () => tellCommand());

// What is told

/** Say something in passing. @param {string} text */
function note(text) {
  const line = document.createElement("p");
  line.textContent = text;
  part("notices").replaceChildren(line);
  setTimeout(() => line.remove(), 6000);
}

/** Say what went wrong; stays until it is closed or something else goes wrong. @param {string} text */
function alarm(text) {
  if (!text) return;
  const line = document.createElement("p"), close = document.createElement("button");
  line.textContent = text;
  close.textContent = "×";
  close.setAttribute("aria-label", say("close"));
  close.onclick = () => part("alerts").replaceChildren();
  line.append(close);
  part("alerts").replaceChildren(line);
}

function lost() {
  if (gone) return;
  gone = true;
  alarm(say("lost"));
  jobs.clear();
  document.body.classList.add("lost");
  showWork();
}

/** Do something, and say why where it fails. @template T @param {() => Promise<T>} work @returns {Promise<T | undefined>} */
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    alarm(error.message);
    return undefined;
  }
}

/** Do something that may meet a file of the same name, and ask whether to replace it. @param {(overwrite: boolean) => Promise<any>} work */
async function attemptWrite(work) {
  return attempt(async () => {
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
  });
}

// Photographs

/** @param {string} path */
async function openPath(path) {
  note(say("opening", { name: path }));
  const opened = await attempt(() => server.ask("open", { path }));
  if (opened) take(opened);
}

/** @param {Iterable<File>} files */
async function openFiles(files) {
  for (const file of files) {
    note(say("opening", { name: file.name }));
    const opened = await attempt(async () => (await server.send("drop", { name: file.name }, file)).json());
    if (opened) take(opened);
  }
}

/** @param {import("./types.js").Opened} opened */
function take(opened) {
  const photo = new Photo(opened);
  photos.set(photo.number, photo);
  part("notices").replaceChildren();
  if (opened.notes.length) note(opened.notes.join("; "));
  choose(photo);
}

/** @param {Photo | null} photo */
function choose(photo) {
  painter.drop();
  current = photo;
  if (photo) painter.resize(Math.max(8, Math.round(Math.max(photo.version.width, photo.version.height) / 60)));
  refresh(true);
}

async function closePhoto() {
  if (!current) return;
  const number = current.number, order = [...photos.keys()], at = order.indexOf(number);
  photos.delete(number);
  choose(photos.get(order[at + 1]) ?? photos.get(order[at - 1]) ?? null);
  await attempt(() => server.ask("close", { photo: number }));
}

/** Show everything as it is now. @param {boolean} [anew] another photograph */
function refresh(anew = false) {
  const photo = current;
  part("empty").hidden = photo !== null;
  const shown = photo && { photo: photo.number, now: photo.version, before: photo.before, versions: photo.versions, mask: controls.kind === "inpaint" ? photo.mask : null };
  viewer.show(shown, anew);
  if (anew) painter.choose(controls.kind === "inpaint" ? (painter.tool === "hand" ? "brush" : painter.tool) : "hand");
  showList();
  showLook();
  showProposals();
  showResult();
  showWork();
  button("undo").disabled = !photo?.done.length;
  button("redo").disabled = !photo?.undone.length;
  button("close-photo").disabled = !photo;
  tellCommand();
  tellChanges();
  showTools();
}

function showList() {
  part("none-open").hidden = photos.size > 0;
  part("opened").replaceChildren(...[...photos.values()].map((photo) => {
    const item = document.createElement("li"), pick = document.createElement("button"), picture = document.createElement("img");
    const name = document.createElement("span"), state = document.createElement("span");
    const level = Math.max(0, Math.ceil(Math.log2(Math.max(photo.before.width, photo.before.height) / 512)));
    picture.src = server.address("tile", { photo: photo.number, version: photo.now, level: photo.now ? Math.max(0, Math.ceil(Math.log2(Math.max(photo.version.width, photo.version.height) / 512))) : level, column: 0, row: 0 });
    picture.alt = "";
    name.textContent = photo.about.name;
    state.textContent = photo.state;
    state.className = "state";
    pick.append(picture, name, state);
    pick.setAttribute("aria-current", String(photo === current));
    pick.onclick = () => choose(photo);
    item.append(pick);
    return item;
  }));
  for (const all of document.querySelectorAll("button.all")) {
    /** @type {HTMLElement} */ (all).hidden = photos.size < 2;
    all.textContent = say("runAll", { count: photos.size });
  }
  const results = [...photos.values()].filter((photo) => photo.now && !photo.saved.has(photo.now));
  button("save-all").hidden = results.length < 2 || menu.read_only;
  button("save-all").textContent = say("saveAll", { count: results.length });
}

/** List a folder below the one that is served. @param {string} path */
async function listFolder(path) {
  const found = await attempt(() => server.ask("list", { path }));
  if (!found) return;
  place = path;
  const names = path.split("/").filter(Boolean);
  part("crumbs").replaceChildren(...["", ...names].map((name, number) => {
    const crumb = document.createElement("button");
    crumb.textContent = number ? name : menu.folder === "." ? say("folderTop") : menu.folder;
    crumb.className = "quiet";
    crumb.onclick = () => listFolder(names.slice(0, number).join("/"));
    return crumb;
  }));
  const entries = /** @type {{path: string, size: number | null}[]} */ (found.entries);
  part("entries").replaceChildren(...entries.map((entry) => {
    const item = document.createElement("li"), pick = document.createElement("button"), name = document.createElement("span"), size = document.createElement("span");
    name.textContent = (entry.path.split("/").pop() ?? "") + (entry.size === null ? "/" : "");
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

// The view

/** @param {Look} look */
function look(look) {
  painter.drop();
  viewer.look = look;
  showLook();
  viewer.draw();
}

function showLook() {
  const changed = current !== null && current.now !== 0, alike = changed && current !== null && current.version.width === current.before.width;
  if (!changed && viewer.look !== "after") viewer.look = "after";
  if (viewer.look === "difference" && !alike) viewer.look = "slider";
  for (const element of document.querySelectorAll("[data-view]")) {
    const one = /** @type {HTMLButtonElement} */ (element), name = one.dataset.view;
    one.setAttribute("aria-checked", String(name === viewer.look));
    one.tabIndex = name === viewer.look ? 0 : -1;
    one.disabled = !current || (name === "difference" ? !alike : name !== "after" && !changed);
  }
  const sliding = viewer.look === "slider";
  for (const id of ["handle", "tag-before", "tag-after"]) part(id).hidden = !sliding;
  placeHandle();
}

function placeHandle() {
  const handle = part("handle");
  handle.style.left = `${viewer.split * 100}%`;
  handle.setAttribute("aria-valuenow", String(Math.round(viewer.split * 100)));
}

/** @param {number} share */
function slide(share) {
  viewer.split = Math.min(1, Math.max(0, share));
  placeHandle();
  viewer.draw();
}

viewer.changed = () => {
  the("zoom", HTMLOutputElement).textContent = `${Math.round(viewer.scale * 100)} %`;
  painter.outline();
};

function showProposals() {
  const bar = part("proposals"), photo = current;
  bar.hidden = !photo?.proposals.length;
  if (!photo) return;
  bar.replaceChildren(...photo.proposals.filter((number) => photo.versions.has(number)).map((number, at) => {
    const one = document.createElement("button"), picture = document.createElement("img"), version = /** @type {import("./types.js").Version} */ (photo.versions.get(number));
    picture.alt = "";
    one.append(picture, String(at + 1));
    showPart(picture, photo, version);
    one.setAttribute("role", "radio");
    one.setAttribute("aria-checked", String(number === photo.now));
    one.setAttribute("aria-label", say("proposal", { number: at + 1 }));
    one.onclick = () => {
      photo.choose(number);
      refresh();
    };
    return one;
  }));
}

/** Show of a proposal where it differs. @param {HTMLImageElement} picture @param {Photo} photo
 * @param {import("./types.js").Version} version */
function showPart(picture, photo, version) {
  const [left, top] = version.changed?.[0] ?? [0, 0];
  picture.src = server.address("tile", { photo: photo.number, version: version.version, level: 0, column: Math.floor(left / 512), row: Math.floor(top / 512) });
}

// Work

/** Start what the open form asks for, on some photographs. @param {Photo[]} some */
async function start(some) {
  if (!some.length) {
    alarm(say("noPhoto"));
    return;
  }
  const steps = controls.steps, proposals = controls.count, kind = controls.kind;
  for (const photo of some) {
    await attempt(async () => {
      let mask = null;
      if (kind === "inpaint") {
        if (photo.mask.empty) throw new Refused(400, say("maskEmpty"));
        mask = (await (await server.send("mask", { photo: photo.number, version: photo.version.version }, photo.mask.message())).json()).mask;
      }
      await server.ask("work", { photo: photo.number, version: photo.version.version, steps, proposals, mask });
      part("alerts").replaceChildren();
    });
  }
}

/** @param {import("./types.js").News} news */
function heard(news) {
  if (news.type !== "job") return;
  const photo = photos.get(news.photo), over = ["done", "failed", "cancelled"].includes(news.state);
  if (over) jobs.delete(news.job);
  else jobs.set(news.job, news);
  if (photo) {
    const share = Math.round((news.share ?? 0) * 100);
    photo.state = { waiting: say("stateWaiting"), running: say("stateRunning", { share }), done: say("stateDone"), failed: say("stateFailed"), cancelled: "" }[news.state];
    const item = part("opened").children[[...photos.values()].indexOf(photo)]?.querySelector(".state");
    if (item) item.textContent = photo.state;
  }
  if (news.state === "failed") alarm(news.error ?? "");
  if (news.state === "cancelled") note(say("cancelled"));
  if (news.state === "done" && photo && news.versions) {
    photo.came(news.versions, news.kept ?? []);
    const told = news.versions.flatMap((version) => version.notes);
    note([say("doneIn", { count: (news.seconds ?? 0).toFixed(1) }), ...new Set(told)].join(" "));
    if (photo === current) {
      if (news.kind !== "inpaint" && viewer.look === "after") viewer.look = "slider";
      refresh();
    } else {
      showList();
    }
  }
  showWork();
}

function showWork() {
  const running = [...jobs.values()].find((job) => job.state === "running"), one = running ?? [...jobs.values()][0];
  part("working").hidden = !one;
  if (!one) return;
  const bar = the("progress", HTMLProgressElement), kind = say(`working_${one.kind}`), share = Math.round((one.share ?? 0) * 100);
  const parts = [one.state === "waiting" ? say("waiting") : share ? say("running", { kind, share }) : say("starting", { kind })];
  if (one.left != null && (one.seconds ?? 0) > 1) {
    const time = one.left < 90 ? say("leftSeconds", { count: Math.ceil(one.left) }) : say("leftMinutes", { count: Math.ceil(one.left / 60) });
    parts.push(say("left", { time }));
  }
  if (jobs.size > 1) parts.push(`+${jobs.size - 1}`);
  part("doing").textContent = parts.join(" · ");
  if (share) bar.value = one.share ?? 0;
  else bar.removeAttribute("value");
}

// Results

function showResult() {
  const photo = current, version = photo?.version, opened = photo?.about;
  const changed = Boolean(photo && photo.now);
  part("what").textContent = changed && version ? say("resultSteps", { steps: version.steps.join(" → "), width: version.width, height: version.height }) : say("resultNone");
  button("save").disabled = !changed || menu.read_only;
  button("download").disabled = !changed;
  button("save").hidden = menu.read_only;
  button("save-mask").hidden = menu.read_only;
  const depth = { uint8: "depth8", uint16: "depth16", float32: "depthFloat" }[opened?.depth ?? ""] ?? "depth8";
  part("about").textContent = opened && version ? say("about", { name: opened.name, width: version.width, height: version.height, format: opened.format, depth: say(depth) }) : "";
}

/** The message that names what is shown, and how it is to be stored. @param {Photo} photo */
const shown = (photo) => ({ photo: photo.number, version: photo.now, ...controls.wish });

/** @param {Photo} photo */
async function save(photo) {
  const number = photo.now;
  const done = await attemptWrite((overwrite) => server.ask("save", { ...shown(photo), overwrite }));
  if (!done) return;
  photo.saved.add(number);
  note([say("saved", { path: done.path }), ...done.notes].join(" "));
  listFolder(place);
  showList();
}

/** Hand over a file that the server makes. @param {string} what @param {object} message @param {BodyInit} [body] */
async function download(what, message, body) {
  await attempt(async () => {
    const answer = await server.send(what, message, body ?? "");
    const name = decodeURIComponent((answer.headers.get("content-disposition") ?? "").split("''")[1] ?? "result");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });
}

async function tellCommand() {
  const photo = current, turn = ++asked, line = part("command");
  button("copy").disabled = !photo;
  if (!photo || gone) {
    line.textContent = "";
    return;
  }
  const painted = controls.kind === "inpaint" && photo.now && photo.mask.empty;
  const steps = photo.now && (controls.kind !== "inpaint" || painted) && photo.state !== "" ? [] : controls.steps;
  try {
    const told = await server.ask("command", { ...shown(photo), steps });
    if (turn === asked) line.textContent = told.command;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (turn === asked) line.textContent = error.message;
  }
}

async function tellChanges() {
  const photo = current, text = part("changed-text"), canvas = the("histogram", HTMLCanvasElement);
  if (!the("changed", HTMLDetailsElement).open) return;
  const alike = photo && photo.now && photo.version.width === photo.before.width;
  canvas.hidden = !alike;
  text.textContent = say("changesNone");
  if (!photo || !alike) return;
  const found = await attempt(() => server.ask("changes", { photo: photo.number, version: photo.now, against: 0 }));
  if (!found || photo !== current) return;
  const total = found.counts.reduce((/** @type {number} */ sum, /** @type {number} */ count) => sum + count, 0);
  const small = (100 * (found.counts[0] + found.counts[1])) / total, most = found.most.toFixed(0);
  text.textContent = say("changesText", { share: (100 * found.share).toFixed(found.share < 0.1 ? 2 : 0), mean: found.mean.toFixed(2), most });
  canvas.setAttribute("aria-label", `${say("histogram")}. ${say("histogramText", { share: small.toFixed(1), most })}`);
  drawHistogram(canvas, found.counts);
}

// The mask

function showTools() {
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
function use(tool) {
  if (controls.kind !== "inpaint") openTab("inpaint");
  painter.choose(tool);
  showTools();
}

function stroked() {
  const photo = current;
  if (!photo) return;
  photo.did(photo.mask.end());
  button("undo").disabled = !photo.done.length;
  button("redo").disabled = !photo.undone.length;
  if (input("at-once").checked && !painter.takes && !photo.mask.empty) start([photo]);
  else tellCommand();
}

/** Mark what the server found. @param {ArrayBuffer} message @param {boolean} [takes] */
function mark(message, takes = false) {
  if (!current) return;
  if (message.byteLength <= 16) note(say("nothingNear"));
  viewer.drawMask(current.mask.add(message, takes ? 0 : 1));
  painter.takes = takes;
  stroked();
}

painter.finished = stroked;
painter.resized = showTools;
painter.picked = (point, takes) => attempt(async () => {
  if (!current) return;
  const where = { x: Math.floor(point.x), y: Math.floor(point.y), tolerance: input("tolerance").valueAsNumber, joined: input("joined").checked };
  const answer = await server.send("colour", { photo: current.number, version: current.version.version, ...where }, "");
  mark(await answer.arrayBuffer(), takes);
});

/** @param {boolean} again */
function turn(again) {
  painter.drop();
  if (current?.turn(again)) refresh();
}

/** @param {"restore" | "inpaint" | "upscale"} kind */
function openTab(kind) {
  for (const one of ["restore", "inpaint", "upscale"]) {
    part(one).hidden = one !== kind;
    button(`tab-${one}`).setAttribute("aria-selected", String(one === kind));
    button(`tab-${one}`).tabIndex = one === kind ? 0 : -1;
  }
  painter.choose(kind === "inpaint" ? "brush" : "hand");
  if (kind === "inpaint" && viewer.look !== "after") viewer.look = "after";
  refresh();
}

// Buttons, forms and keys

/** Let arrow keys go from one button of a group to the next. @param {HTMLElement} group */
function roving(group) {
  group.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const items = /** @type {HTMLButtonElement[]} */ ([...group.querySelectorAll("button:not(:disabled)")]), at = items.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    if (!way || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = items[(at + way + items.length) % items.length];
    next.click();
    next.focus();
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
    start(current ? [current] : []);
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
button("save").onclick = () => current && save(current);
button("save-all").onclick = async () => {
  for (const photo of photos.values()) if (photo.now && !photo.saved.has(photo.now)) await save(photo);
};
button("download").onclick = () => current && download("download", shown(current));
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
  if (!current) return;
  current.mask.clear();
  painter.takes = true;
  stroked();
  viewer.draw();
};
button("add-box").onclick = () => {
  if (!current) return;
  const [x, y, wide, high] = ["box-x", "box-y", "box-width", "box-height"].map((id) => input(id).valueAsNumber || 0);
  viewer.drawMask(current.mask.box([x, y, wide, high], 1));
  painter.takes = false;
  stroked();
};
button("load-mask").onclick = () => input("mask-file").click();
input("mask-file").onchange = () => attempt(async () => {
  const file = input("mask-file").files?.[0];
  input("mask-file").value = "";
  if (!file || !current) return;
  const answer = await server.send("read_mask", { photo: current.number, version: current.version.version, name: file.name }, file);
  mark(await answer.arrayBuffer());
});
button("save-mask").onclick = () => attemptWrite(async (overwrite) => {
  if (!current) return;
  if (current.mask.empty && current.now) {
    const done = await server.ask("masks", { ...shown(current), overwrite });
    note(say("saved", { path: done.paths.join(", ") }));
  } else {
    if (current.mask.empty) throw new Refused(400, say("maskEmpty"));
    const done = await (await server.send("mask_file", { photo: current.number, version: current.now, beside: true, overwrite }, current.mask.message())).json();
    note(say("saved", { path: done.path }));
  }
  listFolder(place);
});
button("download-mask").onclick = () => current && (current.mask.empty ? alarm(say("maskEmpty")) : download("mask_file", { photo: current.number, version: current.now }, current.mask.message()));

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
  Escape: () => (painter.drawing ? painter.drop() : jobs.size ? void attempt(() => server.ask("cancel")) : part("alerts").replaceChildren()),
};
/** @type {Record<string, () => void>} */
const WITH_CTRL = {
  z: () => turn(false), y: () => turn(true), Z: () => turn(true), s: () => void (button("save").disabled || !current || save(current)),
  o: () => input("files").click(), Enter: () => void start(current ? [current] : []),
};

/** Go to a photograph before or after. @param {number} way */
function step(way) {
  const order = [...photos.values()], at = current ? order.indexOf(current) : -1;
  if (order.length) choose(order[(at + way + order.length) % order.length]);
}

window.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (document.querySelector("dialog[open]")) return;
  const typing = target.matches("input:not([type=range]):not([type=checkbox]), select, textarea");
  if (event.ctrlKey || event.metaKey) {
    const act = WITH_CTRL[event.key];
    if (!act || (typing && event.key !== "Enter" && event.key !== "s" && event.key !== "o")) return;
    event.preventDefault();
    act();
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
await listFolder("");
document.body.dataset.ready = "yes";
