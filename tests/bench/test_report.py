"""The report is one page that holds everything."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irflow_cli.images.decode import read_picture


class Page(HTMLParser):
    """What the tests ask a page: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_report_is_one_page_that_holds_everything(pairs, bench, tmp_path) -> None:
    out = tmp_path / "out"
    done = bench(pairs, "--steps", "1,2", "--report", out)
    assert done.code == 0
    page = Page((out / "report.html").read_text())
    text = " ".join(page.text)
    for needed in ("Gain over the input", "Worst cases", "Best cases", "trained on", "digest", "threads", "border", "two <b>"):
        assert needed in text
    assert "FID is left out" not in text  # few have its backbone, and nobody asked
    assert "b" not in {tag for tag, _ in page.tags}  # names are escaped
    sources = [attributes[key] for _, attributes in page.tags for key in ("src", "href") if attributes.get(key)]
    assert sources
    assert all(str(source).startswith(("data:image/webp;base64,", "#")) for source in sources)
    assert not [tag for tag, attributes in page.tags if tag == "link" or (tag == "script" and attributes)]
    sliders = [attributes for tag, attributes in page.tags if tag == "input" and attributes.get("type") == "range"]
    assert len(sliders) == 2
    assert (out / "table.md").read_text().strip() == done.out.strip()
    assert len(list((out / "pictures").rglob("*.webp"))) == 2 * 4  # input, two trajectories, clean
    with Image.open(next((out / "pictures").rglob("clean.webp"))) as view:
        assert view.size == (72, 64)


def test_a_report_without_matplotlib_says_where_its_plots_are(pairs, bench, tmp_path, monkeypatch) -> None:
    for name in ("plots", "report"):
        monkeypatch.setattr(f"irflow_cli.bench.{name}.can_plot", lambda: False)
    assert bench(pairs, "--report", tmp_path / "out").code == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "[bench]" in page
    assert "<svg" not in page


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser")
def test_a_browser_shows_the_report(pairs, bench, tmp_path: Path) -> None:
    assert bench(pairs, "--report", tmp_path / "out").code == 0
    page = (tmp_path / "out" / "report.html").as_uri()
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    options = ["--window-size=1200,1600", f"--screenshot={tmp_path / 'shot.png'}", "--dump-dom", page]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=False)
    stages = done.stdout.count('class="stage"')
    assert stages == 2
    assert done.stdout.count('<img class="before" alt="left" src="data:image/webp;base64,') == stages  # by its script
    if (tmp_path / "shot.png").is_file():
        assert np.ptp(read_picture(tmp_path / "shot.png").rgb8()) > 100
