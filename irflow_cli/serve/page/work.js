// Work for the server: requested, followed while it is done, and taken in.

import { Refused } from "./api.js";
import { the } from "./controls.js";
import { alarm, attempt, calls, controls, desk, note, part, photos, queue, server, viewer } from "./desk.js";
import { refresh } from "./screen.js";
import { showList } from "./list.js";
import { say, sentence } from "./texts.js";

/** @typedef {import("./photo.js").Photo} Photo */

/** Start what the open form asks for, on some photographs. @param {Photo[]} some */
export async function start(some) {
  if (!some.length) {
    alarm(say("noPhoto"));
    return;
  }
  const steps = controls.steps, proposals = controls.count, kind = controls.kind;
  for (const photo of some) {
    await attempt(async () => {
      const inpaints = kind === "inpaint";
      if (inpaints && photo.mask.empty) throw new Refused(400, say("maskEmpty"));
      const sent = -photo.number; // until the server has given it a number
      queue.set(sent, { type: "work", item: sent, photo: photo.number, kind, version: photo.now, state: "waiting" });
      showWork();
      try {
        await server.send("work", { photo: photo.number, version: photo.base(kind).version, steps, proposals, level: viewer.level }, inpaints ? photo.mask.message() : "");
      } finally {
        queue.delete(sent);
        showWork();
      }
      part("alerts").replaceChildren();
    });
  }
}

/** @param {import("./types.js").News} news */
export function heard(news) {
  if (news.type !== "work") return;
  const photo = photos.get(news.photo), over = ["done", "failed", "cancelled"].includes(news.state);
  if (over) queue.delete(news.item);
  else queue.set(news.item, news);
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
    const notes = news.versions.flatMap((version) => version.notes);
    note([say("doneIn", { count: (news.seconds ?? 0).toFixed(1) }), ...[...new Set(notes)].map(sentence)].join(" "));
    if (photo === desk.current) {
      if (news.kind !== "inpaint" && viewer.look === "after") viewer.look = "slider";
      refresh();
      part("stage").scrollIntoView({ block: "nearest" }); // on a phone the button is far below
    } else {
      showList();
    }
  }
  showWork();
}

export function showWork() {
  const running = [...queue.values()].find((item) => item.state === "running"), one = running ?? [...queue.values()][0];
  part("working").hidden = !one;
  if (!one) return;
  const bar = the("progress", HTMLProgressElement), kind = say(`working_${one.kind}`), share = Math.round((one.share ?? 0) * 100);
  const parts = [one.state === "waiting" ? say("waiting") : share ? say("running", { kind, share }) : say("starting", { kind })];
  if (one.left != null && (one.seconds ?? 0) > 1) {
    const time = one.left < 90 ? say("leftSeconds", { count: Math.ceil(one.left) }) : say("leftMinutes", { count: Math.ceil(one.left / 60) });
    parts.push(say("left", { time }));
  }
  if (queue.size > 1) parts.push(`+${queue.size - 1}`);
  part("doing").textContent = parts.join(" · ");
  if (share) bar.value = one.share ?? 0;
  else bar.removeAttribute("value");
}

calls.heard = heard;
calls.lost = showWork;
