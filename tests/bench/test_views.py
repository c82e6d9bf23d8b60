"""The part of a picture that the report shows first."""

from __future__ import annotations

from dataclasses import replace

from drawn import scene
from PIL import Image

from irflow_cli.bench.sets import cases_of, find_samples
from irflow_cli.bench.views import VIEW, keep_view, view_path, worst_part


def test_the_worst_part_is_where_the_input_is_farthest_from_the_clean(pairs) -> None:
    case = next(cases_of(find_samples(pairs, paired=True)[0], ()))
    clean = scene(500, 700)
    seen = clean.copy()
    seen[420:440, 610:640] ^= 128
    top, left = worst_part(replace(case, clean=clean, degraded=seen))
    assert top <= 420 and top + VIEW[0] >= 440
    assert left <= 610 and left + VIEW[1] >= 640
    assert worst_part(case) == (0, 0)  # it is smaller than a view


def test_a_view_is_kept_once_asked_for(pairs, tmp_path) -> None:
    case = next(cases_of(find_samples(pairs, paired=True)[0], ()))
    keep_view(None, case, "input", case.seen)
    keep_view(tmp_path, case, "input", scene(500, 700))
    [path] = tmp_path.rglob("*.webp")
    assert path == view_path(tmp_path, case.digest, "input")
    with Image.open(path) as view:
        assert view.size == (VIEW[1], VIEW[0])
