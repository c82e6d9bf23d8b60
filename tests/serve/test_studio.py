"""Requests as the page makes them, and what becomes of files."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import scene
from PIL import Image, ImageCms
from served import bomb

from irflow_cli.cli.app import run
from irflow_cli.images.encode import encode_picture
from irflow_cli.images.picture import Picture
from irflow_cli.serve.bits import Bits
from irflow_cli.serve.tabs import MOST_BYTES


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


def test_more_bytes_than_a_picture_has_are_not_taken_in(make_page: Callable) -> None:
    page = make_page(max_pixels=1)
    assert page.send("drop", bytes(2**26 + 17), name="a.png").status_code == 413
    assert page.client.post("/api/menu", content=b" " * (2**20 + 1)).status_code == 413


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"tab": 5}', b'{"tab": "unknown"}', b"[" * 100_000])
def test_messages_that_are_none_are_refused(make_page: Callable, body: bytes) -> None:
    answer = make_page().client.post("/api/close", content=body)
    assert answer.status_code == 400 and "reload" in answer.json()["error"]


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
        ("below/c.png", [{"kind": "upscale", "scale": 2, "preset": "fast"}]),
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


def hole(size: tuple[int, int]) -> bytes:
    """Return a mask as the page sends it."""
    inside = np.zeros(size, bool)
    inside[10:14, 8:30] = True
    return Bits.of(inside).message()


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
    page.ask("work", photo=photo, version=0, steps=[{"kind": "upscale", "preset": "fast"}])
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
    page.ask("work", photo=opened["photo"], version=0, steps=[{"kind": "upscale", "preset": "fast"}])
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


def test_a_cancelled_job_leaves_nothing(make_page: Callable, photos: Path) -> None:
    Image.fromarray(np.zeros((700, 900, 3), np.uint8)).save(photos / "large.png")
    page = make_page()
    photo = page.ask("open", path="large.png")[1]["photo"]
    steps = [{"kind": "restore", "task": "denoise", "sigma": 20}]
    page.ask("work", photo=photo, version=0, steps=steps)
    page.ask("work", photo=photo, version=0, steps=steps)
    assert page.ask("cancel")[0] == 200
    assert [page.done()["state"], page.done()["state"]] == ["cancelled", "cancelled"]
    assert page.ask("save", photo=photo, version=1)[0] == 400


def test_pages_know_nothing_of_each_other(make_page: Callable) -> None:
    one, other = make_page(), make_page()
    photo = one.ask("open", path="a.png")[1]["photo"]
    assert other.ask("save", photo=photo, version=0)[0] == 400
    other.ask("open", path="b.jpg")
    one.ask("work", photo=photo, version=0, steps=[{"kind": "upscale", "preset": "fast"}])
    other.ask("cancel")
    assert one.done()["state"] == "done"


def test_a_page_that_closes_takes_its_work_along(make_page: Callable, photos: Path) -> None:
    Image.fromarray(np.zeros((700, 900, 3), np.uint8)).save(photos / "large.png")
    page = make_page()
    worker, photo = page.studio.worker, page.ask("open", path="large.png")[1]["photo"]
    for _ in range(3):
        page.ask("work", photo=photo, version=0, steps=[{"kind": "restore", "task": "denoise", "sigma": 20}])
    page.socket.close()
    deadline = time.monotonic() + 20
    while page.ask("close", photo=photo)[0] != 400 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert page.ask("close", photo=photo)[0] == 400
    assert not worker.waiting and (worker.current is None or worker.current.stop.is_set())


def test_results_make_room_for_new_ones(make_page: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("irflow_cli.serve.tabs.MOST_BYTES", 5 * 40 * 40 * 3)
    assert MOST_BYTES > 2**30
    page = make_page()
    photo = page.ask("open", path="below/c.png")[1]["photo"]
    kept = []
    for seed in range(6):
        page.send("work", hole((40, 40)), photo=photo, version=0, steps=[{"kind": "inpaint", "seed": seed}])
        kept = page.done()["kept"]
    assert 0 in kept and len(kept) == 5


def test_every_word_of_the_page_is_there(make_page: Callable) -> None:
    page = make_page()
    names = [part.split('"')[0] for part in page.client.get("/").text.split('"/page/')[1:]]
    assert {"main.js", "style.css", "icon.svg"} <= set(names)
    for name in names:
        answer = page.client.get(f"/page/{name}")
        assert answer.status_code == 200 and "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    for name in ("../app.py", "..%2fapp.py", "nothing.js"):
        assert page.client.get(f"/page/{name}").status_code in (404, 403)


def test_names_in_another_encoding_come_back_as_they_went(make_page: Callable, photos: Path) -> None:
    odd = os.fsdecode(b"caf\xe9.png")
    try:
        (photos / odd).write_bytes((photos / "a.png").read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    page = make_page()
    assert odd in [entry["path"] for entry in page.ask("list")[1]["entries"]]
    photo = page.ask("open", path=odd)[1]["photo"]
    page.ask("work", photo=photo, version=0, steps=[{"kind": "upscale", "preset": "fast"}])
    version = page.done()["versions"][0]["version"]
    assert page.send("download", b"", photo=photo, version=version).headers["content-disposition"].endswith("caf%E9.x2.png")
    assert page.ask("save", photo=photo, version=version)[0] == 200
    assert (photos / os.fsdecode(b"caf\xe9.x2.png")).exists()
    assert page.ask("open", path="\ud800.png")[0] in (403, 422)


def test_reading_by_address_changes_nothing(make_page: Callable) -> None:
    page = make_page()
    for name in ("save", "work", "open", "cancel", "close", "masks", "download", "list"):
        assert page.client.get(f"/api/{name}", params={"ask": "{}"}).status_code == 405


def test_a_format_that_codes_anew_is_told(make_page: Callable) -> None:
    page = make_page()
    photo = page.ask("open", path="b.jpg")[1]["photo"]
    page.send("work", hole((60, 80)), photo=photo, version=0, steps=[{"kind": "inpaint"}])
    version = page.done()["versions"][0]["version"]
    assert any(
        "codes all pixels anew; format png" in note for note in page.ask("save", photo=photo, version=version)[1]["notes"]
    )
    assert page.ask("save", photo=photo, version=version, format="png")[1]["notes"] == []
