"""What can be told of the page's looks and words without a browser."""

from __future__ import annotations

import re
from importlib import resources

import pytest

PAGE = resources.files("irflow_cli.serve") / "page"
STYLE, HTML, TEXTS = (PAGE.joinpath(name).read_text("utf-8") for name in ("style.css", "index.html", "texts.js"))
COLOURS = {name: pair for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", STYLE)}


def brightness(colour: str) -> float:
    """Return the relative luminance of #rrggbb, as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [0, 1])
@pytest.mark.parametrize(
    ("text", "ground", "least"),
    [
        *((text, ground, 4.5) for text in ("text", "faint", "accent") for ground in ("card", "ground", "chosen")),
        ("on-accent", "accent", 4.5),
        ("wrong", "card", 4.5),
        ("text", "stage", 4.5),
        ("edge", "card", 3),
    ],
)
def test_colours_can_be_told_apart(text: str, ground: str, least: float, dark: int) -> None:
    one, other = sorted(brightness(COLOURS[name][dark]) for name in (text, ground))
    assert (other + 0.05) / (one + 0.05) >= least


def test_all_words_come_from_one_file() -> None:
    keys = set(re.findall(r"^  (\w+):", TEXTS, re.MULTILINE))
    used = set(re.findall(r'data-(?:text|label|hold)="(\w+)"', HTML))
    scripts = "".join(file.read_text("utf-8") for file in PAGE.iterdir() if file.name.endswith(".js"))
    assert used <= keys
    assert set(re.findall(r'say\("(\w+)"', scripts)) <= keys
    body = re.sub(r"<title>.*?</title>", "", HTML[HTML.index("<body>") :])
    assert re.findall(r">\s*([A-Za-z]{2,}[^<]*)<", body) == ["irflow"]
    spare = {key for key in keys - used if f'"{key}"' not in scripts and not key.startswith("working_")}
    assert spare == set()


def test_all_scripts_are_asked_for_at_once() -> None:
    scripts = {file.name for file in PAGE.iterdir() if file.name.endswith(".js")} - {"types.js", "main.js"}
    assert set(re.findall(r'rel="modulepreload" href="/page/(\w+\.js)"', HTML)) == scripts


def test_nothing_is_loaded_from_elsewhere() -> None:
    for file in PAGE.iterdir():
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//cdn", text), file.name
