"""Pictures of the page of `irflow serve`, for docs/serve.md, taken by the system's Chromium.

python benchmarks/serve_pictures.py
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
NAMES = ("noisy.png", "rainy.png", "scratched.png", "small.png")
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 300_000  # milliseconds


def shows(page: Page, where: str, text: str) -> None:
    """Wait until something says a text."""
    from playwright.sync_api import expect

    expect(page.locator(where)).to_contain_text(text, timeout=PATIENCE)


def opened(page: Page, name: str) -> None:
    """Open a picture of the folder."""
    page.locator("#entries button", has_text=name).first.click()
    shows(page, "#about", name)


def kept(page: Page, name: str) -> None:
    """Keep what the page looks like."""
    page.wait_for_timeout(7000)  # until nothing is said in passing any more
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    picture.save(PICTURES / f"serve-{name}.webp", quality=80, method=6)


def restored(page: Page) -> None:
    """A noisy photograph restored, the slider between before and after, and what changed."""
    opened(page, "rainy.png")
    opened(page, "noisy.png")
    page.locator("#passes .task").select_option("denoise")
    page.click("#restore button.main")
    shows(page, "#what", "denoise")
    page.click("#changed summary")


def painted(page: Page) -> None:
    """A mask that is taken from a file, and painted on."""
    opened(page, "scratched.png")
    page.click("#tab-inpaint")
    page.click("#near-mask")
    page.wait_for_selector("#undo:enabled")
    box = page.locator("#marks").bounding_box()
    assert box is not None
    page.evaluate("async () => (await import('/page/desk.js')).painter.resize(14)")
    page.mouse.move(box["x"] + box["width"] * 0.62, box["y"] + box["height"] * 0.72)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.8, steps=8)
    page.mouse.up()


def proposed(page: Page) -> None:
    """Several proposals of a filling."""
    opened(page, "scratched.png")
    page.click("#tab-inpaint")
    page.click("#near-mask")
    page.wait_for_selector("#undo:enabled")
    page.fill("#count", "3")
    page.click("#inpaint button.main")
    shows(page, "#what", "inpaint")
    page.click("[data-view=slider]")


def on_a_phone(page: Page) -> None:
    """A restored photograph on a small screen."""
    page.click("#show-photos")
    opened(page, "noisy.png")
    page.locator("#passes .task").select_option("denoise")
    page.click("#restore button.main")
    shows(page, "#what", "denoise")


SCENES = (
    ("restore", restored, WIDE, "light"),
    ("inpaint", painted, WIDE, "dark"),
    ("proposals", proposed, WIDE, "light"),
    ("phone", on_a_phone, PHONE, "light"),
)


def take(browser: Any, folder: Path) -> None:
    """Take all pictures, each of a new server."""
    for name, act, size, scheme in SCENES:
        words = [sys.executable, "-m", "irflow_cli", "serve", folder.name, "-q"]
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=folder.parent)
        assert server.stdout is not None
        page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(server.stdout.readline().strip())
        page.wait_for_selector("body[data-ready]")
        act(page)
        kept(page, name)
        server.kill()
        server.wait()


def main() -> None:
    """Copy some pictures into a folder, serve it and take the pictures."""
    from playwright.sync_api import sync_playwright

    browser_path = shutil.which("chromium")
    if browser_path is None:
        sys.exit("no chromium is installed")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name) / "scans"
        folder.mkdir()
        for picture in (*NAMES, "scratched.mask.png"):
            shutil.copy(PICTURES / picture, folder)
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        take(browser, folder)
        browser.close()


if __name__ == "__main__":
    main()
