"""The page as a person uses it, in a real Chromium."""

from __future__ import annotations

import re
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from drawn import scene
from PIL import Image
from served import Served, begin, bomb, fill_folder

from irflow_cli.cli.app import run
from irflow_cli.images.decode import read_picture
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.picture import Picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page


PATIENCE = 120_000  # milliseconds that a busy machine may take for a filling


@pytest.fixture(scope="module")
def chromium(browser_path: str) -> Iterator[Browser]:
    """Return the system's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A browser in front of a server. Every request that it makes, and every error of the page, is kept."""

    def __init__(self, browser: Browser, home: str, **options: Any) -> None:
        self.home, self.errors, self.requests = home, [], []
        self.context: BrowserContext = browser.new_context(accept_downloads=True, **options)
        self.context.set_default_timeout(PATIENCE)
        self.context.on("request", lambda request: self.requests.append(request.url))

    def open(self, address: str = "") -> Page:
        """Open the page, once more where it is open."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.goto(address or self.home)
        page.wait_for_selector("body[data-ready]")
        return page

    def close(self) -> None:
        """Close it; fails where the page had errors or asked anyone but its server."""
        self.context.close()
        own = (self.home, "blob:" + self.home, self.home.replace("http", "ws"))
        assert [url for url in self.requests if not url.startswith(own)] == []
        refused = r"status of (403|409|413|422)"  # what a test asks for in vain is said by the browser, too
        assert [line for line in self.errors if not re.search(refused, line)] == []


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server that the tests share; each has names of its own in its folder."""
    served = begin(fill_folder(tmp_path_factory.mktemp("shared")))
    yield served
    served.process.kill()
    served.process.communicate()


@pytest.fixture(scope="module")
def entered(chromium: Browser, served: Served) -> list[Any]:
    """Return the cookies that the token is good for."""
    first = Visit(chromium, served.home)
    first.open(served.address)
    cookies = first.context.cookies()
    first.close()
    return cookies


@pytest.fixture
def visit(chromium: Browser, served: Served, entered: list[Any]) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens a browser which the server knows."""
    visits: list[Visit] = []

    def go(**options: Any) -> Visit:
        visits.append(Visit(chromium, served.home, **options))
        visits[-1].context.add_cookies(entered)
        return visits[-1]

    yield go
    for one in visits:
        one.close()


@pytest.fixture
def photos(served: Served) -> Path:
    """Return the folder that is served."""
    return served.folder


def shows(where: Locator, text: str) -> None:
    """Wait until something says a text."""
    from playwright.sync_api import expect

    expect(where).to_contain_text(text, timeout=PATIENCE)


def until(page: Page, what: str) -> None:
    """Wait until something holds of the page's `viewer` or `desk`; Playwright's own way is an eval, which is refused."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(f"async () => {{ const {{ viewer, desk }} = await import('/page/desk.js'); return {what}; }}"):
        assert time.monotonic() < deadline, what
        page.wait_for_timeout(20)


def command(page: Page) -> str:
    """Return the line of the command, as soon as it is that of what is set and shown."""
    page.wait_for_selector("#command[aria-busy=false]")
    return page.inner_text("#command")


def choose(page: Page, name: str) -> None:
    """Open a picture of the folder."""
    page.locator("#entries button", has_text=name).click()
    shows(page.locator("#about"), name)


def stroke(page: Page, start: tuple[float, float], stop: tuple[float, float]) -> None:
    """Drag over the picture, from one share of its canvas to another."""
    box = page.locator("#marks").bounding_box()
    assert box is not None
    (x0, y0), (x1, y1) = ((box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, stop))
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=4)
    page.mouse.move(x1, y1, steps=4)
    page.mouse.up()


def by_command(line: str) -> None:
    """Run a line of the command, or several joined by &&, with one thread, as the server does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for part in line.replace("\\\n", "").split("&&"):
            assert run(["--no-config", *shlex.split(part)[1:], "--device", "cpu", "-q"]) == 0
    finally:
        torch.set_num_threads(threads)


def same_by_command(line: str, result: Path) -> None:
    """Fail unless a line of the command writes what the page has saved, to the byte."""
    mine = result.read_bytes()
    result.unlink()
    by_command(line)
    assert result.read_bytes() == mine


def save_both(page: Page, result: Path) -> None:
    """Save the mask, then the result, beside their picture."""
    page.click("#save-mask")
    shows(page.locator("#notices"), result.name.replace(".inpaint" + result.suffix, ".mask.png"))
    page.click("#save")
    shows(page.locator("#notices"), result.name)


@pytest.mark.parametrize("name", ["flat.png", "deep.tif"])
def test_a_stroke_is_filled_saved_and_undone(visit: Callable[..., Visit], photos: Path, name: str) -> None:
    source = photos / name
    if name == "flat.png":
        Image.fromarray(scene(60, 80)).save(source)
    else:
        deep = (scene(60, 80).astype(np.uint16) << 8) + np.arange(80, dtype=np.uint16)[:, None]
        source.write_bytes(encode_picture(Picture(deep, None, "TIFF"), "TIFF")[0])
    page = visit().open()
    choose(page, name)
    page.click("#tab-inpaint")
    stroke(page, (0.45, 0.4), (0.6, 0.6))
    page.click("#save-mask")
    shows(page.locator("#notices"), "mask.png")
    line = command(page)
    page.click("#inpaint button.main")
    shows(page.locator("#what"), "inpaint")
    page.click("#save")
    result = source.with_name(f"{source.stem}.inpaint{source.suffix}")
    shows(page.locator("#notices"), result.name)
    same_by_command(line, result)
    inside = read_picture(source.with_name(f"{source.stem}.mask.png")).pixels > 0
    before, after = read_picture(source), read_picture(result)
    assert after.pixels.dtype == before.pixels.dtype and 20 < inside.sum() < inside.size / 4
    assert np.array_equal(after.pixels[~inside], before.pixels[~inside])
    assert not np.array_equal(after.pixels, before.pixels)

    page.keyboard.press("Control+z")
    shows(page.locator("#what"), "No result yet")
    with page.expect_download() as coming:  # the stroke is there again
        page.click("#download-mask")
    assert Path(coming.value.path()).read_bytes() == source.with_name(f"{source.stem}.mask.png").read_bytes()
    page.keyboard.press("Control+z")
    page.click("#download-mask")
    shows(page.locator("#alerts"), "Paint what is to be filled first")
    page.keyboard.press("Control+Shift+z")
    with page.expect_download() as coming:
        page.click("#download-mask")
    assert Path(coming.value.path()).read_bytes() == source.with_name(f"{source.stem}.mask.png").read_bytes()
    page.keyboard.press("Control+Shift+z")
    shows(page.locator("#what"), "inpaint")


def test_keys_do_everything(visit: Callable[..., Visit], photos: Path) -> None:
    page = visit().open()
    page.locator("#entries button", has_text="a.png").focus()
    page.keyboard.press("Enter")
    shows(page.locator("#about"), "a.png")
    page.locator("#marks").focus()
    page.keyboard.press("b")
    page.keyboard.press("]")
    shows(page.locator("#brush-size"), "10 px")
    page.keyboard.press("Enter")
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    shows(page.locator("#what"), "inpaint")
    page.keyboard.press("s")
    handle = page.locator("#handle")
    handle.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert handle.get_attribute("aria-valuenow") == "2"
    page.keyboard.press("d")
    assert page.locator("[data-view=difference]").get_attribute("aria-checked") == "true"
    page.keyboard.press("1")
    shows(page.locator("#zoom"), "100 %")
    page.keyboard.press("Control+s")
    shows(page.locator("#notices"), "a.inpaint.png")
    page.keyboard.press("Control+s")
    shows(page.locator("#sure-text"), "Replace it?")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    shows(page.locator("#keys"), "Ctrl+Enter")
    page.keyboard.press("Escape")
    page.locator("#help").wait_for(state="hidden")


def test_tools_mark_what_they_say(visit: Callable[..., Visit], photos: Path) -> None:
    pixels = np.full((60, 80, 3), 90, np.uint8)
    pixels[20:30, 30:50] = (250, 10, 10)
    Image.fromarray(pixels).save(photos / "red.png")
    page = visit().open()
    choose(page, "red.png")
    page.click("#tab-inpaint")

    def marked() -> np.ndarray:
        with page.expect_download() as coming:
            page.click("#download-mask")
        return np.asarray(Image.open(coming.value.path())) > 0

    page.click("[data-tool=colour]")
    box = page.locator("#marks").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.42)
    page.wait_for_selector("#undo:enabled")
    assert np.array_equal(marked(), pixels[..., 0] == 250)
    page.keyboard.press("Control+z")
    page.click("#inpaint details:has(#add-box) summary")
    for field, value in (("x", 3), ("y", 4), ("width", 20), ("height", 10)):
        page.fill(f"#box-{field}", str(value))
    page.click("#add-box")
    expected = np.zeros((60, 80), bool)
    expected[4:14, 3:23] = True
    assert np.array_equal(marked(), expected)
    page.click("[data-tool=eraser]")
    stroke(page, (0.0, 0.0), (1.0, 0.3))
    assert 0 < marked().sum() < expected.sum()
    page.click("#clear-mask")
    page.click("[data-tool=brush]")
    page.evaluate("async () => (await import('/page/desk.js')).painter.resize(20)")
    stroke(page, (0.5, 0.5), (0.5, 0.5))
    assert abs(marked().sum() - np.pi * 10**2) < 12  # a disc
    page.click("#clear-mask")
    page.click("[data-tool=lasso]")
    stroke(page, (0.4, 0.4), (0.6, 0.4))  # drawn to and fro it has no inside
    assert page.locator("#undo").is_enabled()
    page.keyboard.press("1")
    corners = [
        (box["x"] + box["width"] / 2 + x, box["y"] + box["height"] / 2 + y) for x, y in ((-10, -10), (10, -10), (10, 10))
    ]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner)
    page.mouse.up()
    assert abs(marked().sum() - 20 * 20 / 2) <= 20  # a triangle
    page.keyboard.down("Alt")
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner)
    page.mouse.up()
    page.keyboard.up("Alt")
    page.click("#download-mask")
    shows(page.locator("#alerts"), "Paint what is to be filled first")
    page.keyboard.press("0")
    page.click("[data-tool=box]")
    stroke(page, (0.4, 0.4), (0.6, 0.6))
    found = marked()
    rows, columns = np.nonzero(found)
    assert found.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1) > 50


MASK = """async () => {
  const { Mask } = await import("/page/mask.js"), mask = new Mask(300, 280), wrong = [], diffs = [];
  let seed = 1;
  const next = (below) => (seed = (seed * 48271) % 2147483647) % below;
  for (let turn = 0; turn < 60; turn++) {
    const value = next(3) ? 1 : 0, x = next(300), y = next(280), kind = next(5);
    if (kind === 0) mask.box([x, y, 1 + next(40), 1 + next(40)], value);
    if (kind === 1) mask.line({ x, y }, { x: next(300), y: next(280) }, 1 + next(9), value);
    if (kind === 2) mask.polygon([{ x, y }, { x: next(300), y: next(280) }, { x: next(300), y }], value);
    if (kind === 3) mask.clear();
    if (kind === 4 && diffs.length) mask.swap(diffs[next(diffs.length)]);
    const diff = mask.end(), marked = [...mask.bits.keys()].filter((at) => mask.bits[at]);
    if (diff) diffs.push(diff);
    const xs = marked.map((at) => at % 300), ys = marked.map((at) => Math.floor(at / 300));
    const left = Math.min(...xs), top = Math.min(...ys);
    const box = marked.length ? [left, top, Math.max(...xs) + 1 - left, Math.max(...ys) + 1 - top] : [0, 0, 0, 0];
    if (String(box) !== String(mask.bounds()) || mask.empty !== !marked.length) wrong.push([kind, box, mask.bounds()]);
  }
  return wrong;
}"""


def test_a_mask_knows_where_it_is_marked(visit: Callable[..., Visit]) -> None:
    assert visit().open().evaluate(MASK) == []


def test_one_of_several_proposals_is_painted_on(visit: Callable[..., Visit], photos: Path) -> None:
    Image.fromarray(scene(60, 80, seed=3)).save(photos / "p.png")
    page = visit().open()
    choose(page, "p.png")
    page.click("#tab-inpaint")
    page.keyboard.down("Alt")
    page.locator("#marks").hover()
    page.mouse.wheel(0, -100)
    page.keyboard.up("Alt")
    shows(page.locator("#brush-size"), "10 px")
    stroke(page, (0.45, 0.4), (0.55, 0.5))
    page.fill("#count", "2")
    page.click("#inpaint button.main")
    page.locator("#proposals button").nth(0).focus()
    page.keyboard.press("ArrowRight")
    shows(page.locator("#command"), "--seed 1")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Proposal 2"
    drawn = "[...document.querySelectorAll('#proposals canvas')].map((one) => one.toDataURL())"
    blank = "Object.assign(document.createElement('canvas'), { width: 256, height: 192 }).toDataURL()"
    until(page, f"new Set([...{drawn}, {blank}]).size === 3")  # beside each other, and not the same
    page.fill("#count", "1")
    stroke(page, (0.3, 0.6), (0.4, 0.7))
    shows(page.locator("#command"), "p.inpaint.png")
    page.click("#inpaint button.main")
    shows(page.locator("#what"), "inpaint → inpaint")
    save_both(page, photos / "p.inpaint.inpaint.png")
    same_by_command(command(page), photos / "p.inpaint.inpaint.png")


INKED = "viewer.ink.getImageData(0, 0, viewer.marks.width, viewer.marks.height).data.some((value) => value)"
VIEW = """async () => {
  const { viewer } = await import("/page/desk.js");
  return { x: viewer.x, y: viewer.y, scale: viewer.scale };
}"""


def test_masks_are_loaded_shown_and_hidden(visit: Callable[..., Visit], photos: Path) -> None:
    Image.fromarray(scene(60, 80)).save(photos / "masked.png")
    inside = np.zeros((60, 80), np.uint8)
    inside[20:30, 10:50] = 255
    Image.fromarray(inside).save(photos / "masked.mask.png")
    page = visit().open()
    page.locator("#entries button", has_text="masked.png").click()
    shows(page.locator("#about"), "masked.png")
    page.click("#tab-inpaint")
    shows(page.locator("#near-mask"), "Load masked.mask.png")

    def taken() -> np.ndarray:
        with page.expect_download() as coming:
            page.click("#download-mask")
        return np.asarray(Image.open(coming.value.path()).convert("L"))

    page.click("#near-mask")
    page.wait_for_selector("#undo:enabled")
    assert np.array_equal(taken(), inside)
    until(page, INKED)
    page.keyboard.press("m")
    until(page, f"!{INKED}")
    assert not page.locator("#show-mask").is_checked()
    page.click("#clear-mask")
    with page.expect_file_chooser() as chooser:
        page.click("#load-mask")
    chooser.value.set_files(str(photos / "masked.mask.png"))
    until(page, "!desk.current.mask.empty")
    assert np.array_equal(taken(), inside)
    with page.expect_file_chooser() as chooser:
        page.click("#load-mask")
    chooser.value.set_files(str(photos / "below" / "c.png"))
    shows(page.locator("#alerts"), "c.png")


def test_several_photographs_are_upscaled_one_after_another(visit: Callable[..., Visit], photos: Path) -> None:
    browser = visit()
    browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = browser.open()
    for name, seed in (("one.png", 4), ("two.png", 5)):
        Image.fromarray(scene(24, 32, seed=seed)).save(photos / name)
    page.locator("#crumbs button").first.click()
    for name in ("one.png", "two.png"):
        choose(page, name)
    page.click("#tab-upscale")
    page.locator("#upscale button.all").click()
    for number in (0, 1):
        shows(page.locator("#opened li").nth(number), "done")
    shows(page.locator("#what"), "x2 · 64 × 48")
    assert page.locator("[data-view=slider]").get_attribute("aria-checked") == "true"
    assert page.locator("[data-view=difference]").is_disabled()
    shows(page.locator("#save-all"), "Save 2 unsaved")
    page.dblclick("#save-all")  # and is not saved twice, which would ask
    page.locator("#save-all").wait_for(state="hidden")  # which it is when the last of them is written
    assert page.locator("#sure").is_hidden()
    for name in ("one.x2.png", "two.x2.png"):
        with Image.open(photos / name) as result:
            assert result.size == (64, 48)
    line = command(page)
    page.click("#copy")
    shows(page.locator("#notices"), "Copied")
    assert page.evaluate("navigator.clipboard.readText()") == line
    same_by_command(line, photos / "two.x2.png")


def test_pictures_are_moved_and_zoomed_by_mouse_pen_and_fingers(visit: Callable[..., Visit]) -> None:
    page = visit(has_touch=True).open()
    choose(page, "a.png")
    page.keyboard.press("1")
    box = page.locator("#marks").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = page.evaluate(VIEW)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y - 20, steps=2)
    page.mouse.up()
    moved = page.evaluate(VIEW)
    assert (moved["x"] - before["x"], moved["y"] - before["y"], moved["scale"]) == (30, -20, 1)
    page.mouse.wheel(0, -240)
    until(page, "viewer.scale > 1.5")
    page.keyboard.press("0")

    page.click("#tab-inpaint")
    browser = page.context.new_cdp_session(page)
    for kind, where in (("mousePressed", 0), ("mouseMoved", 20), ("mouseReleased", 20)):
        event = {"type": kind, "x": x + where, "y": y, "button": "left", "buttons": 1, "clickCount": 1, "force": 0.5}
        browser.send("Input.dispatchMouseEvent", {**event, "pointerType": "pen"})
    page.wait_for_selector("#undo:enabled")
    page.keyboard.press("Control+z")
    before = page.evaluate(VIEW)
    for kind, gap in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60), ("touchEnd", 0)):
        points = [{"x": x - gap, "y": y, "id": 0}, {"x": x + gap, "y": y, "id": 1}] if gap else []
        browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    until(page, f"viewer.scale > 2 * {before['scale']} && !{INKED}")
    assert page.locator("#undo").is_disabled()  # two fingers leave no stroke


def test_the_focus_is_seen_and_kept_in_light_and_dark(visit: Callable[..., Visit]) -> None:
    page = visit(color_scheme="light").open()
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) != light
    names = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        style = page.evaluate("[document.activeElement.id, getComputedStyle(document.activeElement).outlineStyle]")
        assert style[1] == "solid", style
        names.add(style[0])
    assert {"pick", "ask-help"} <= names
    entry = page.locator("#entries button", has_text="a.png")
    entry.focus()
    page.keyboard.press("Enter")
    shows(page.locator("#about"), "a.png")
    page.locator("#opened button").focus()
    page.keyboard.press("Enter")  # the list is made anew
    assert page.evaluate("document.activeElement.closest('#opened') !== null")
    page.keyboard.press("?")
    assert page.evaluate("document.activeElement.id") == "help-title"
    page.keyboard.press("Escape")


def test_who_has_no_token_reads_why(chromium: Browser, served: Served) -> None:
    stranger = chromium.new_page()
    for address in (served.home, f"{served.home}?token=guess"):
        answer = stranger.goto(address)
        assert answer is not None and answer.status == 403
        shows(stranger.locator("body"), "open the address that `irflow serve` printed")
    foreign = "fetch({!r}, {{ method: 'POST', body: '{{}}' }}).then(() => 'answered', () => 'refused')"
    stranger.goto("data:text/html,<p>another page</p>")
    assert stranger.evaluate(foreign.format(served.home + "api/menu")) == "refused"
    stranger.close()


def test_work_is_cancelled_and_pages_do_not_disturb_each_other(visit: Callable[..., Visit], photos: Path) -> None:
    noise = np.random.default_rng(0).normal(128, 20, (1200, 1250, 1)).clip(0, 255)
    Image.fromarray(noise.astype(np.uint8).repeat(3, axis=2)).save(photos / "large.png")
    there = sorted(photos.iterdir())
    browser = visit()
    page, other = browser.open(), browser.open()
    choose(page, "large.png")
    page.locator("#passes .task").select_option("denoise")
    page.locator("#passes .sigma").fill("20")
    page.click("#restore button.main")
    shows(page.locator("#doing"), "Restoring")
    assert other.locator("#working").is_hidden()
    page.click("#cancel")
    shows(page.locator("#notices"), "Cancelled")
    assert page.locator("#save").is_disabled() and sorted(photos.iterdir()) == there

    for _ in range(3):
        page.click("#restore button.main")
    page.close()  # and its work stops: the other page's turn comes
    choose(other, "a.png")
    other.locator("#passes .task").select_option("denoise")
    other.click("#restore button.main")
    shows(other.locator("#what"), "denoise")
    other.locator("#passes .strength").fill("150")  # done again, not on top
    other.click("#restore button.main")
    shows(other.locator("#command"), "--strength 1.5")
    shows(other.locator("#typed-title"), "this result")
    assert command(other).count("denoise") == 1 and other.inner_text("#what").count("denoise") == 1
    other.click("#storing summary")
    other.locator("#format").select_option("webp")
    other.check("#lossless")
    shows(other.locator("#command"), "--format webp --lossless")


def test_24_megapixels_are_painted_on_filled_and_saved(visit: Callable[..., Visit], photos: Path) -> None:
    Image.fromarray(scene(400, 600)).resize((6000, 4000)).save(photos / "large.jpg", quality=90)
    browser = visit(viewport={"width": 1200, "height": 700})
    page = browser.open()
    choose(page, "large.jpg")
    shows(page.locator("#about"), "6000 × 4000")
    page.click("#tab-inpaint")
    page.check("#at-once")
    page.click("#zoom-one")
    stroke(page, (0.45, 0.5), (0.5, 0.55))
    shows(page.locator("#what"), "inpaint · 6000 × 4000")
    until(page, "viewer.tiles.size && !viewer.loading.size")
    asked = [unquote(url) for url in browser.requests if "/api/tile" in url]
    assert [url for url in asked if '"version":0,"level":0' in url] != []
    assert [url for url in asked if '"version":0' not in url and '"level":0' in url] == []  # what is new was sent with the news
    page.click("[data-view=difference]")
    page.click("#changed summary")
    shows(page.locator("#changed-text"), "of the pixels changed")
    save_both(page, photos / "large.inpaint.jpg")


DROP = """(bytes) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "thrown.png"));
  window.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
}"""


def test_what_cannot_be_opened_is_said_on_the_page(visit: Callable[..., Visit], photos: Path) -> None:
    page = visit().open()
    page.locator("#entries button", has_text="text.png").click()
    shows(page.locator("#alerts"), "text.png: not a picture")
    page.set_input_files("#files", [{"name": "dropped.png", "mimeType": "image/png", "buffer": b"no picture"}])
    shows(page.locator("#alerts"), "dropped.png: not a picture")
    (photos / "bomb.png").write_bytes(bomb(10_000, 10_000))
    page.locator("#crumbs button").first.click()
    page.locator("#entries button", has_text="bomb.png").click()
    shows(page.locator("#alerts"), "bomb.png: larger than")
    outside = "async () => (await import('/page/list.js')).openPath('../secret.png')"
    page.evaluate(outside)
    shows(page.locator("#alerts"), "../secret.png: is not a name inside the folder")
    page.set_input_files("#files", str(photos / "b.jpg"))
    shows(page.locator("#about"), "b.jpg")
    page.evaluate(DROP, [*(photos / "a.png").read_bytes()])
    shows(page.locator("#about"), "thrown.png · 80 × 60")


def test_a_server_that_is_gone_is_told(chromium: Browser, serve_folder: Callable[..., Served]) -> None:
    served = serve_folder()
    visit = Visit(chromium, served.home)
    page = visit.open(served.address)
    choose(page, "a.png")
    command(page)
    until(page, "viewer.tiles.size && !viewer.loading.size")  # nothing is asked any more whose failure would tell
    served.process.kill()
    shows(page.locator("#alerts"), "The server has ended")
    visit.context.close()


def test_a_phone_shows_it_all_and_fingers_paint(visit: Callable[..., Visit]) -> None:
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True, device_scale_factor=2).open()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.click("#show-photos")
    choose(page, "a.png")
    page.click("#tab-inpaint")
    box = page.locator("#marks").bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#undo:enabled")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


NAMELESS = """() => [...document.querySelectorAll("button, input:not([hidden]), select, canvas, [role]")].filter((one) => {
  const labels = [...(one.labels ?? [])].map((label) => label.textContent).join("");
  const hidden = one.getAttribute("aria-hidden") === "true" || one.type === "file";
  const name = one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || labels || one.textContent;
  return !hidden && !one.closest("template") && !["status", "alert"].includes(one.getAttribute("role")) && !name.trim();
}).map((one) => one.outerHTML.slice(0, 80))"""


def test_everything_has_a_name(visit: Callable[..., Visit]) -> None:
    page = visit().open()
    assert page.evaluate(NAMELESS) == ['<button type="button" id="near-mask" class="quiet" hidden=""></button>']
    choose(page, "a.png")
    assert page.evaluate("[...document.querySelectorAll('img')].every((one) => one.hasAttribute('alt'))")


def test_a_comparison_works_by_itself(chromium: Browser, tmp_path: Path) -> None:
    for name, seed in (("a.png", 0), ("b.png", 1)):
        Image.fromarray(scene(50, 60, seed)).save(tmp_path / name)
    from irflow_cli.services.compare import compare_files

    compare_files(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "page.html")
    page = chromium.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.goto((tmp_path / "page.html").as_uri())
    page.locator("#handle").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.locator("#handle").get_attribute("aria-valuenow") == "2"
    page.keyboard.press("1")
    assert page.inner_text("#zoom") == "100 %"
    page.keyboard.press(" ")
    assert page.locator("#handle").is_hidden() and errors == []
    page.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_ends_with_nothing_half_written(serve_folder: Callable[..., Served], number: int, code: int) -> None:
    served = serve_folder()
    there = sorted(served.folder.rglob("*"))
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{20,}", served.address)
    ended, said = served.end(number)
    assert ended == code and "Traceback" not in said
    assert sorted(served.folder.rglob("*")) == there


def test_it_ends_while_it_works_with_nothing_half_written(chromium: Browser, serve_folder: Callable[..., Served]) -> None:
    served = serve_folder()
    Image.fromarray(np.zeros((2400, 2500, 3), np.uint8)).save(served.folder / "large.png")
    there = sorted(served.folder.rglob("*"))
    visit = Visit(chromium, served.home)
    page = visit.open(served.address)
    choose(page, "large.png")
    page.locator("#passes .task").select_option("denoise")
    page.locator("#passes .sigma").fill("20")
    page.click("#restore button.main")
    shows(page.locator("#doing"), "Restoring")
    ended, said = served.end(signal.SIGINT)
    assert ended == 0 and "Traceback" not in said and "ERROR" not in said
    shows(page.locator("#alerts"), "The server has ended")
    assert sorted(served.folder.rglob("*")) == there
    visit.context.close()
