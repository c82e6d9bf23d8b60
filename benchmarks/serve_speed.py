"""How fast the page of `irflow serve` is, in the system's Chromium, without a graphics card.

    python benchmarks/serve_speed.py

Prints how long the page takes to be usable, how long from the release of the brush until a scratch of 12 x 600 pixels in a
photograph of 12 megapixels is seen filled, beside what the engine takes for the same hole, and the frames a second while
painting, moving and zooming at 24 megapixels.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "scratched.png"
TURNS = 7

FRAMES = """(work) => new Promise(async (resolve) => {
  const { viewer, painter } = await import("/page/desk.js"), times = [], box = viewer.marks.getBoundingClientRect();
  const around = (angle, side) => side * (0.5 + 0.4 * Math.sin(angle));
  const works = {
    painting: (turn) => painter.move({ x: around(turn / 9, box.width), y: around(turn / 7 + 2, box.height) }),
    moving: (turn) => viewer.pan(turn % 40 < 20 ? 20 : -20, turn % 40 < 20 ? 11 : -11),
    zooming: (turn) => viewer.zoom(turn % 40 < 20 ? 1.05 : 1 / 1.05),
  };
  if (work === "painting") painter.press({ x: box.width / 2, y: box.height / 2 }, false);
  let last = performance.now(), turn = 0;
  requestAnimationFrame(function step(now) {
    times.push(now - last);
    last = now;
    if (turn === 120) {
      if (work === "painting") painter.lift();
      resolve(times.slice(1));
      return;
    }
    works[work](turn++);
    requestAnimationFrame(step);
  });
})"""

READY = """new MutationObserver((_, observer) => {
  if (!document.body?.dataset.ready) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => (window.ready = performance.timeOrigin + performance.now())));
}).observe(document, { subtree: true, attributes: true, childList: true })"""

SEEN = """async () => {
  const { viewer, photos } = await import("/page/desk.js"), photo = [...photos.values()][0], before = photo.now;
  window.seen = new Promise((resolve) => {
    let released = 0;
    viewer.marks.addEventListener("pointerup", () => (released = performance.now()), { capture: true, once: true });
    viewer.settled = () => released && photo.now !== before && resolve(performance.now() - released);
  });
}"""

ENGINE = """
import sys, time
import numpy as np
from irflow_cli.engines.holes import spread_hole
from irflow_cli.engines.inpainter import Inpainter
from irflow_cli.engines.prior import SamplerSettings
from irflow_cli.images.decode import read_picture
from pathlib import Path
picture, mask = read_picture(Path(sys.argv[1])), read_picture(Path(sys.argv[2])).pixels > 0
engine, hole = Inpainter(SamplerSettings()), spread_hole(mask)
engine.fill(picture, hole)
print("ready", flush=True)
for line in sys.stdin:
    began = time.perf_counter()
    engine.fill(picture, hole)
    print(time.perf_counter() - began, flush=True)
"""


def serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Serve a folder and return the process and its address."""
    words = [sys.executable, "-m", "irflow_cli", "serve", str(folder), "-q"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def opened(page: Page, name: str) -> None:
    """Open a picture and wait until it is seen."""
    page.locator("#entries button", has_text=name).click()
    page.wait_for_selector(f"#about:has-text('{name}')", timeout=60_000)
    page.wait_for_timeout(1500)


def scratch(page: Page) -> float:
    """Paint a stroke 600 pixels long at 100 % and return the milliseconds from its end until it is seen filled."""
    page.evaluate(SEEN)
    box = page.locator("#marks").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + (box["height"] - 588) / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 588, steps=20)
    page.mouse.up()
    return page.evaluate("window.seen")


def told(name: str, values: list[float], unit: str) -> None:
    """Print a median and the range."""
    print(f"{name}: {statistics.median(values):.3g} {unit} (from {min(values):.3g} to {max(values):.3g}, {len(values)} times)")


def processor(process: subprocess.Popen[str]) -> float:
    """Return the seconds of processor time that a process took so far; of Linux."""
    words = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def start(browser: Any, folder: Path) -> tuple[Page, subprocess.Popen[str], tuple[float, float, float]]:
    """Start a server and a page of it; return also the seconds from the start of the process until the address is printed
    and until the page can be used, by the browser's clock, and the processor time of the server."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(READY)
    began, clock = time.time(), time.perf_counter()
    server, address = serve(folder)
    up = time.perf_counter() - clock
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    return page, server, (up, page.evaluate("window.ready") / 1e3 - began, processor(server))


def measure(browser: Any, folder: Path) -> None:
    """Measure and print."""
    starts = []
    for _ in range(TURNS - 1):
        page, server, figures = start(browser, folder)
        starts.append(figures)
        server.kill()
        server.wait()
        page.close()
    page, server, figures = start(browser, folder)
    names = ("the address after the start", "the page usable after the start", "processor time of the server until then")
    for name, values in zip(names, zip(*starts, figures, strict=True), strict=True):
        told(name, list(values), "s")
    time.sleep(8)
    opened(page, "12.png")
    page.click("#tab-inpaint")
    page.evaluate("async () => (await import('/page/desk.js')).painter.resize(12)")
    page.check("#at-once")
    page.click("#zoom-one")
    page.wait_for_timeout(1500)
    first = scratch(page)
    page.evaluate("async () => { const { viewer } = await import('/page/desk.js'); viewer.settled = () => {}; }")
    page.click("#save-mask")
    page.wait_for_selector("#notices:has-text('mask.png')")
    words = [sys.executable, "-c", ENGINE, str(folder / "12.png"), str(folder / "12.mask.png")]
    engine = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert engine.stdin is not None and engine.stdout is not None
    engine.stdout.readline()
    seen, alone = [], []
    for _ in range(TURNS):  # in turn, so that what else the machine does weighs on both
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        page.wait_for_timeout(700)
        seen.append(scratch(page) / 1e3)
        engine.stdin.write("again\n")
        engine.stdin.flush()
        alone.append(float(engine.stdout.readline()))
    engine.kill()
    print(f"first filling: {first / 1e3:.2f} s")
    told("from release to seen", seen, "s")
    told("the engine alone", alone, "s")
    print(f"share: {statistics.median(seen) / statistics.median(alone):.2f}")
    page.keyboard.press("PageUp")
    opened(page, "24.jpg")
    page.uncheck("#at-once")
    page.evaluate("async () => (await import('/page/desk.js')).painter.resize(80)")
    for zoom in ("fit", "one"):
        page.click(f"#zoom-{zoom}")
        page.wait_for_timeout(1500)
        for work in ("painting", "moving", "zooming"):
            times = sorted(page.evaluate(FRAMES, work))
            slow = times[int(len(times) * 0.95)]
            print(f"24 MP, {zoom}, {work}: {1e3 / statistics.mean(times):.0f} frames a second, 95 % within {slow:.0f} ms")
    server.kill()
    server.wait()


def main() -> None:
    """Make two large photographs of a small one and measure on them."""
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium")
    if browser_path is None:
        sys.exit("no chromium is installed")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder, picture = Path(name), Image.open(PICTURE).convert("RGB")
        noise = np.random.default_rng(0).normal(0, 4, (3000, 4000, 1))
        large = np.asarray(picture.resize((4000, 3000), Image.Resampling.BICUBIC)) + noise
        Image.fromarray(large.clip(0, 255).astype(np.uint8)).save(folder / "12.png", compress_level=1)
        picture.resize((6000, 4000), Image.Resampling.BICUBIC).save(folder / "24.jpg", quality=92)
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        measure(browser, folder)
        browser.close()


if __name__ == "__main__":
    main()
