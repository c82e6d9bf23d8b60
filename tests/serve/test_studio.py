"""Requests as the page makes them, and what becomes of files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from PIL import Image, ImageCms
from served import bomb, hole

from irflow_cli.cli.app import run
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.picture import Picture


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("../secret.png", 403, "not a name inside"),
        ("way-out.png", 403, "leads out"),
        ("/etc/hostname", 403, "not a name inside"),
        ("text.png", 422, "not a picture"),
        ("gone.png", 422, "No such file"),
        ("below", 422, "below"),
        ("bomb.png", 413, "larger than"),
    ],
)
def test_what_cannot_be_opened_is_said(make_page: Callable, photos: Path, path: str, status: int, said: str) -> None:
    (photos / "bomb.png").write_bytes(bomb(10_000, 10_000))
    page = make_page()
    code, answer = page.ask("open", path=path)
    assert code == status and said in answer["error"] and "\n" not in answer["error"]
    if path in ("text.png", "bomb.png"):
        dropped = page.send("drop", (photos / path).read_bytes(), name=path)
        assert dropped.status_code == status and said in dropped.json()["error"]


def saved(page, photo: int, version: int, **wish: object) -> bytes:
    """Save a version and return the file's bytes."""
    code, answer = page.ask("save", photo=photo, version=version, **wish)
    assert code == 200, answer
    return Path(answer["path"]).read_bytes()


def commanded(words: str) -> None:
    """Run the command line that the page shows."""
    import shlex

    for line in words.replace("\\\n", "").split("&&"):
        assert run(["--no-config", *shlex.split(line)[1:], "-q"]) == 0


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("a.png", [{"kind": "restore", "task": "denoise", "sigma": 20, "strength": 0.7}]),
        ("b.jpg", [{"kind": "restore", "task": "denoise"}]),
        ("b.jpg", [{"kind": "restore", "task": "derain", "steps": 1}, {"kind": "restore", "task": "denoise", "sigma": 9}]),
        ("below/c.png", [{"kind": "upscale", "scale": 2}]),
        ("deep.tif", [{"kind": "restore", "task": "denoise", "sigma": 5}]),
        ("tagged.jpg", [{"kind": "restore", "task": "denoise", "sigma": 5}]),
    ],
)
def test_what_is_saved_is_what_the_command_writes(make_page: Callable, photos: Path, name: str, steps: list[dict]) -> None:
    if name == "deep.tif":
        noise = np.random.default_rng(0).integers(0, 65536, (40, 50, 3), dtype=np.uint16)
        (photos / name).write_bytes(encode_picture(Picture(noise, None, "TIFF"), "TIFF")[0])
    tags = {}
    if name == "tagged.jpg":
        exif = Image.Exif()
        exif[0x010F] = "a camera"
        tags = {"exif": exif.tobytes(), "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}
        Image.fromarray(scene(40, 50)).save(photos / name, **tags)
    page = make_page()
    _, opened = page.ask("open", path=name)
    code, _ = page.ask("work", photo=opened["photo"], version=0, steps=steps)
    assert code == 200
    done = page.done()
    assert done["state"] == "done", done
    version = done["versions"][0]["version"]
    mine = saved(page, opened["photo"], version)
    path = Path(page.ask("save", photo=opened["photo"], version=version, overwrite=True)[1]["path"])
    _, told = page.ask("command", photo=opened["photo"], version=version)
    path.unlink()
    commanded(told["command"])
    assert path.read_bytes() == mine
    assert page.send("download", b"", photo=opened["photo"], version=version).content == mine
    with Image.open(io.BytesIO(mine)) as result:
        assert result.info.get("icc_profile") == tags.get("icc_profile")
        assert result.getexif().get(0x010F) == ("a camera" if tags else None)


def test_fillings_are_those_of_the_command_and_touch_nothing_else(make_page: Callable, photos: Path) -> None:
    page = make_page()
    _, opened = page.ask("open", path="a.png")
    photo = opened["photo"]
    steps = [{"kind": "inpaint", "feather": 1}]
    page.send("work", hole((60, 80)), photo=photo, version=0, steps=steps, proposals=3)
    versions = page.done()["versions"]
    assert len(versions) == 3 and all(one["changed"] == [[0, 0, 512, 512]] for one in versions)
    files = [saved(page, photo, one["version"], overwrite=True) for one in versions]
    assert len(set(files)) == 3
    pixels, before = (np.asarray(Image.open(io.BytesIO(data))) for data in (files[1], (photos / "a.png").read_bytes()))
    outside = np.ones((60, 80), bool)
    outside[9:15, 7:31] = False
    assert np.array_equal(pixels[outside], before[outside]) and not np.array_equal(pixels, before)

    chosen = versions[1]["version"]
    assert page.ask("masks", photo=photo, version=chosen)[0] == 200
    _, told = page.ask("command", photo=photo, version=chosen)
    assert "--seed 1" in told["command"] and "--preset varied" in told["command"]
    (photos / "a.inpaint.png").unlink()
    commanded(told["command"])
    assert (photos / "a.inpaint.png").read_bytes() == files[1]


@pytest.mark.parametrize("what", ["command", "work"])
@pytest.mark.parametrize("steps", [3, "derain", [3], {"kind": "restore"}])
def test_steps_that_are_no_steps_are_told(make_page: Callable, photos: Path, what: str, steps: object) -> None:
    page = make_page()
    _, opened = page.ask("open", path="a.png")
    code, told = page.ask(what, photo=opened["photo"], version=0, steps=steps)
    assert code == 400 and "no list of steps" in told["error"]


def test_what_a_filling_changed_is_sent_before_its_news(make_page: Callable) -> None:
    page = make_page()
    _, opened = page.ask("open", path="a.png")
    photo = opened["photo"]
    page.send("work", hole((60, 80)), photo=photo, version=0, steps=[{"kind": "inpaint"}], level=0)
    sent, news = [], {}
    while news.get("state") != "done":
        frame = page.socket.receive()
        if frame.get("bytes"):
            sent.append(frame["bytes"])
        else:
            news = json.loads(frame["text"])
    assert len(sent) == 1
    length = int.from_bytes(sent[0][:4], "little")
    head = json.loads(sent[0][4 : 4 + length])
    assert head == {"photo": photo, "version": news["versions"][0]["version"], "level": 0, "column": 0, "row": 0}
    answer = page.client.get("/api/tile", params={"ask": json.dumps({"tab": page.tab, **head})})
    assert answer.content == sent[0][4 + length :]


def test_only_the_surroundings_of_a_hole_go_to_the_network(
    make_page: Callable, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from irflow_cli.engines.inpainter import Inpainter

    sides, sampled = [], Inpainter._sampled

    def spy(self: Inpainter, pixels: np.ndarray, missing: np.ndarray, crops: list, seed: int) -> list[np.ndarray]:
        sides.extend(crop.inside.shape for crop in crops)
        return sampled(self, pixels, missing, crops, seed)

    monkeypatch.setattr(Inpainter, "_sampled", spy)
    Image.fromarray(np.full((1400, 2000, 3), 90, np.uint8)).save(photos / "large.png", compress_level=0)
    page = make_page()
    photo = page.ask("open", path="large.png")[1]["photo"]
    page.send("work", hole((1400, 2000)), photo=photo, version=0, steps=[{"kind": "inpaint"}])
    assert page.done()["versions"][0]["changed"] == [[0, 0, 512, 512]]
    assert sides and max(max(side) for side in sides) <= 256


def test_a_saved_mask_is_loaded_as_it_was(make_page: Callable, photos: Path) -> None:
    page = make_page()
    photo = page.ask("open", path="a.png")[1]["photo"]
    message = hole((60, 80))
    answer = page.send("mask_file", message, photo=photo, version=0, beside=True)
    assert answer.status_code == 200 and Path(answer.json()["path"]) == photos / "a.mask.png"
    assert page.send("mask_file", message, photo=photo, version=0, beside=True).status_code == 409
    png = page.send("mask_file", message, photo=photo, version=0)
    assert png.content == (photos / "a.mask.png").read_bytes() and "a.mask.png" in png.headers["content-disposition"]
    assert page.send("read_mask", png.content, photo=photo, version=0, name="m.png").content == message
    assert page.send("read_mask", b"", photo=photo, version=0, path="a.mask.png").content == message
    assert page.send("read_mask", (photos / "below/c.png").read_bytes(), photo=photo, version=0).status_code == 422
    assert page.ask("open", path="a.png")[1]["mask"] == "a.mask.png"


def test_what_is_read_only_stays(make_page: Callable, photos: Path) -> None:
    there = sorted(photos.rglob("*"))
    page = make_page(read_only=True)
    photo = page.ask("open", path="a.png")[1]["photo"]
    page.ask("work", photo=photo, version=0, steps=[{"kind": "upscale"}])
    version = page.done()["versions"][0]["version"]
    assert page.ask("save", photo=photo, version=version)[0] == 403
    assert page.send("mask_file", hole((60, 80)), photo=photo, version=0, beside=True).status_code == 403
    assert page.send("download", b"", photo=photo, version=version).status_code == 200
    assert sorted(photos.rglob("*")) == there


def test_a_dropped_picture_is_saved_in_the_folder_under_its_own_name(make_page: Callable, photos: Path) -> None:
    page = make_page()
    data = (photos / "below" / "c.png").read_bytes()
    opened = page.send("drop", data, name="../../x/..\\..\\d.png").json()
    assert opened["name"] == "d.png" and opened["dropped"]
    page.ask("work", photo=opened["photo"], version=0, steps=[{"kind": "upscale"}])
    version = page.done()["versions"][0]["version"]
    assert Path(page.ask("save", photo=opened["photo"], version=version)[1]["path"]) == photos / "d.x2.png"


def test_work_that_makes_no_sense_is_refused_before_it_waits(make_page: Callable) -> None:
    page = make_page()
    photo = page.ask("open", path="a.png")[1]["photo"]
    for steps in ([], [{"kind": "restore", "task": "snow"}], [{"kind": "upscale", "scale": 7}], "derain", [5]):
        assert page.ask("work", photo=photo, version=0, steps=steps)[0] == 400
    assert page.ask("work", photo=photo, version=99, steps=[{"kind": "upscale"}])[0] == 400
    for mask in (b"", b"short", hole((60, 81))[:-1], hole((200, 200))[:12] + b"\xff" * 8):
        assert page.send("work", mask, photo=photo, version=0, steps=[{"kind": "inpaint"}]).status_code == 400
    assert page.ask("work", photo=99, version=0, steps=[{"kind": "upscale"}])[0] == 400
    assert page.ask("save", photo=photo, version=0)[0] == 400


def test_cancelled_work_leaves_nothing(make_page: Callable, photos: Path) -> None:
    Image.fromarray(np.zeros((700, 900, 3), np.uint8)).save(photos / "large.png")
    page = make_page()
    photo = page.ask("open", path="large.png")[1]["photo"]
    steps = [{"kind": "restore", "task": "denoise", "sigma": 20}]
    page.ask("work", photo=photo, version=0, steps=steps)
    page.ask("work", photo=photo, version=0, steps=steps)
    assert page.ask("cancel")[0] == 200
    assert [page.done()["state"], page.done()["state"]] == ["cancelled", "cancelled"]
    assert page.ask("save", photo=photo, version=1)[0] == 400


def test_a_format_that_codes_anew_is_told(make_page: Callable) -> None:
    page = make_page()
    photo = page.ask("open", path="b.jpg")[1]["photo"]
    page.send("work", hole((60, 80)), photo=photo, version=0, steps=[{"kind": "inpaint"}])
    version = page.done()["versions"][0]["version"]
    assert any(
        "codes all pixels anew; format png" in note for note in page.ask("save", photo=photo, version=version)[1]["notes"]
    )
    assert page.ask("save", photo=photo, version=version, format="png")[1]["notes"] == []
