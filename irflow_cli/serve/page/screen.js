// What is shown of the photograph at hand, and how.

import { attempt, button, controls, desk, painter, part, refill, server, viewer } from "./desk.js";
import { showTools } from "./marking.js";
import { showResult, tellChanges, tellCommand } from "./results.js";
import { showList } from "./list.js";
import { say } from "./texts.js";
import { TILE, coarsest } from "./viewer.js";
import { showWork } from "./work.js";

/** @typedef {import("./photo.js").Photo} Photo */
/** @typedef {import("./viewer.js").Look} Look */

/** Show everything as it is now. @param {boolean} [anew] another photograph */
export function refresh(anew = false) {
  desk.planning = false;
  const photo = desk.current;
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
  button("close-photo").hidden = part("typed").hidden = !photo;
  tellCommand();
  tellChanges();
  showTools();
}

/** @param {Look} look */
export function look(look) {
  painter.drop();
  viewer.look = look;
  showLook();
  viewer.draw();
}

export function showLook() {
  const changed = desk.current !== null && desk.current.now !== 0, alike = changed && desk.current !== null && desk.current.version.width === desk.current.before.width;
  if (!changed && viewer.look !== "after") viewer.look = "after";
  if (viewer.look === "difference" && !alike) viewer.look = "slider";
  for (const element of document.querySelectorAll("[data-view]")) {
    const one = /** @type {HTMLButtonElement} */ (element), name = one.dataset.view;
    one.setAttribute("aria-checked", String(name === viewer.look));
    one.tabIndex = name === viewer.look ? 0 : -1;
    one.disabled = !desk.current || (name === "difference" ? !alike : name !== "after" && !changed);
  }
  const sliding = viewer.look === "slider";
  for (const id of ["handle", "tag-before", "tag-after"]) part(id).hidden = !sliding;
  placeHandle();
}

export function placeHandle() {
  const handle = part("handle");
  handle.style.left = `${viewer.split * 100}%`;
  handle.setAttribute("aria-valuenow", String(Math.round(viewer.split * 100)));
}

/** @param {number} share */
export function slide(share) {
  viewer.split = Math.min(1, Math.max(0, share));
  placeHandle();
  viewer.draw();
}

viewer.changed = () => {
  part("zoom").textContent = `${Math.round(viewer.scale * 100)} %`;
  painter.outline();
};

export function showProposals() {
  const bar = part("proposals"), photo = desk.current;
  bar.hidden = !photo?.proposals.length;
  if (!photo) return;
  refill(bar, photo.proposals.filter((number) => photo.versions.has(number)).map((number, at) => {
    const one = document.createElement("button"), picture = photo.previews.get(number) ?? document.createElement("canvas"), version = /** @type {import("./types.js").Version} */ (photo.versions.get(number));
    one.append(picture, String(at + 1));
    if (!photo.previews.has(number)) attempt(() => drawFilled(picture, photo, version));
    photo.previews.set(number, picture);
    one.setAttribute("role", "radio");
    one.setAttribute("aria-checked", String(number === photo.now));
    one.tabIndex = number === photo.now ? 0 : -1;
    one.setAttribute("aria-label", say("proposal", { number: at + 1 }));
    one.onclick = () => {
      photo.choose(number);
      refresh();
    };
    return one;
  }));
}

/** Draw of a version what was filled, with some of what is around it. @param {HTMLCanvasElement} canvas @param {Photo} photo
 * @param {import("./types.js").Version} version */
async function drawFilled(canvas, photo, version) {
  const [left, top, width, height] = photo.filled, shape = 4 / 3, room = 1.3;
  const wide = Math.min(version.width, Math.max(64, room * width, room * height * shape)), high = Math.min(version.height, wide / shape);
  const x = Math.max(0, Math.min(version.width - wide, left + (width - wide) / 2));
  const y = Math.max(0, Math.min(version.height - high, top + (height - high) / 2));
  canvas.width = 256;
  canvas.height = 192;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")), scale = Math.min(canvas.width / wide, canvas.height / high);
  const level = Math.max(0, Math.min(Math.floor(Math.log2(1 / scale)), coarsest(version))), side = TILE * 2 ** level;
  pen.translate((canvas.width - wide * scale) / 2 - x * scale, (canvas.height - high * scale) / 2 - y * scale);
  for (let row = Math.floor(y / side); row * side < y + high; row++) {
    for (let column = Math.floor(x / side); column * side < x + wide; column++) {
      const tile = await server.bitmap(server.address("tile", { photo: photo.number, version: version.version, level, column, row }));
      pen.drawImage(tile, column * side * scale, row * side * scale, tile.width * 2 ** level * scale, tile.height * 2 ** level * scale);
      tile.close();
    }
  }
}
