"""What libraries say while they read."""

from __future__ import annotations

import sys

import pytest
from encoded import grainy_jpeg
from PIL import Image

from irflow_cli.errors import ImageError
from irflow_cli.images.decode import decode_picture


@pytest.mark.parametrize("options", [{}, {"quality": 95}, {"optimize": True}, {"restart_marker_rows": 2}, {"subsampling": 0}])
@pytest.mark.parametrize("damage", [b"\xff\xd9", b"\xff\xd3", bytes(400)], ids=["early end", "restart", "zeros"])
def test_damage_inside_a_jpeg_is_its_own_failure(options: dict, damage: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    whole = grainy_jpeg(**options)
    assert decode_picture(whole, "a.jpg").notes == ()
    middle = len(whole) // 2
    broken = whole[:middle] + damage + whole[middle + len(damage) :]
    with pytest.raises(ImageError, match=r"^a\.jpg: damaged or incomplete \((Corrupt JPEG data|a part)"):
        decode_picture(broken, "a.jpg")
    assert capfd.readouterr().err == ""


def test_padding_before_the_end_of_a_jpeg_is_no_damage() -> None:
    whole = grainy_jpeg()
    assert decode_picture(whole[:-2] + bytes(3) + whole[-2:], "a.jpg").pixels.shape == (200, 300, 3)


def test_what_python_says_meanwhile_goes_on_its_way(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Image.open

    def talking(*given: object, **options: object) -> Image.Image:
        sys.stderr.write("finishing the picture at hand\n")
        return opened(*given, **options)

    monkeypatch.setattr(Image, "open", talking)
    decode_picture(grainy_jpeg(), "a.jpg")
    assert capfd.readouterr().err == "finishing the picture at hand\n"
