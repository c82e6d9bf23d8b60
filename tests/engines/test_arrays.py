"""Arrays and Pillow images in, the same out."""

from __future__ import annotations

import io

import numpy as np
import pytest
from drawn import scene
from PIL import Image, ImageCms

import irflow_cli
from irflow_cli.errors import ImageError, UsageError

RNG = np.random.default_rng(0)


@pytest.fixture
def derain(tiny_checkpoint):
    """Return restore() for derain with a tiny checkpoint, loaded once."""
    checkpoint = irflow_cli.load_checkpoint(tiny_checkpoint("derain"))
    return lambda picture, **settings: irflow_cli.restore(picture, "derain", checkpoint=checkpoint, **settings)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4)])
def test_arrays_keep_type_shape_and_alpha(derain, dtype: type, shape: tuple[int, ...]) -> None:
    picture = RNG.random(shape)
    picture = picture.astype(dtype) if dtype in (np.float32, np.float64) else (picture * np.iinfo(dtype).max).astype(dtype)
    before = picture.copy()
    restored = derain(picture)
    assert (restored.dtype, restored.shape) == (picture.dtype, picture.shape)
    assert np.array_equal(picture, before)
    colour = restored[..., :3] if len(shape) == 3 else restored
    assert not np.array_equal(colour, picture[..., :3] if len(shape) == 3 else picture)
    if shape[-1] == 4:
        assert np.allclose(restored[..., 3], picture[..., 3], atol=1 / 65535)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pillow_images_keep_mode_and_size(derain, mode: str) -> None:
    picture = Image.fromarray(scene(20, 30)).convert(mode)
    restored = derain(picture, steps=2)
    assert (restored.mode, restored.size) == (mode, picture.size)


@pytest.mark.parametrize(("mode", "back"), [("1", "L"), ("P", "RGB"), ("CMYK", "RGB"), ("YCbCr", "RGB")])
def test_other_pillow_images_come_back_as_what_holds_them(derain, mode: str, back: str) -> None:
    picture = Image.fromarray(scene(20, 30)).convert(mode)
    assert np.array_equal(derain(picture), derain(picture.convert(back)))
    assert derain(picture).mode == back


def test_sixteen_bits_and_transparent_palettes_keep_what_they_hold(derain) -> None:
    ramp = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    deep = derain(Image.fromarray(ramp))
    assert deep.mode == "I;16"
    assert np.array_equal(np.array(deep), derain(ramp))
    palette = Image.fromarray(scene(20, 30)).convert("P")
    palette.info["transparency"] = 0
    assert derain(palette).mode == "RGBA"
    for mode in ("I", "F", "LAB"):
        with pytest.raises(UsageError, match=f"mode {mode} are not supported"):
            derain(Image.new(mode, (8, 8)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pillow_images_keep_what_stands_beside_their_pixels(derain, kind: str) -> None:
    exif, buffer, profile = Image.Exif(), io.BytesIO(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif[0x0112] = 6
    xmp = {} if kind == "PNG" else {"xmp": b"<x:xmpmeta/>"}
    Image.fromarray(scene(20, 30)).save(buffer, kind, exif=exif, icc_profile=profile, dpi=(300, 300), **xmp)
    with Image.open(buffer) as picture:
        done = derain(picture, steps=1)
    for name in ("icc_profile", "exif", "dpi", *xmp):
        assert done.info.get(name) == picture.info.get(name)
    assert done.getexif()[0x0112] == 6
    assert done.size == (30, 20)


def test_a_profile_of_inks_is_not_put_on_colours(derain) -> None:
    picture = Image.fromarray(scene(20, 30)).convert("CMYK")
    picture.info["icc_profile"] = b"of inks"
    assert "icc_profile" not in derain(picture).info


def test_an_enlarged_picture_tells_its_own_size(tiny_checkpoint) -> None:
    picture, exif = Image.fromarray(scene(20, 30)), Image.Exif()
    exif[0x8769] = {0xA002: 30, 0xA003: 20}
    picture.info["exif"] = exif.tobytes()
    large = irflow_cli.upscale(picture, 2, checkpoint=str(tiny_checkpoint("prior")))
    assert dict(large.getexif().get_ifd(0x8769)) == {0xA002: 60, 0xA003: 40}


@pytest.mark.parametrize(("mode", "clear", "back"), [("L", 7, "LA"), ("RGB", (1, 2, 3), "RGBA")])
def test_a_colour_that_stands_for_nothing_is_transparent_in_the_result(derain, mode: str, clear: object, back: str) -> None:
    picture = Image.fromarray(scene(20, 30)).convert(mode)
    picture.putpixel((4, 5), clear)
    picture.info["transparency"] = clear
    done = derain(picture)
    assert done.mode == back
    assert done.getpixel((4, 5))[-1] == 0
    assert done.getchannel("A").getextrema() == (0, 255)
    assert "transparency" not in done.info


@pytest.mark.parametrize("picture", [np.zeros((3, 3), int), np.zeros((2, 2, 7), np.uint8), np.zeros((0, 3), np.uint8), "a.png"])
def test_other_things_are_refused(derain, picture: object) -> None:
    with pytest.raises(UsageError, match="expected"):
        derain(picture)


@pytest.fixture
def prior(tiny_checkpoint):
    """Return the tiny prior, loaded once."""
    return irflow_cli.load_checkpoint(tiny_checkpoint("prior"))


@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, 65535), (-1, 1)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_that_count_otherwise_need_a_range(low: float, high: float, dtype: type, tiny_checkpoint) -> None:
    if dtype == np.float16 and high > 60_000:
        pytest.skip("are no numbers of this type")
    unit = scene(24, 32) / 255
    picture, checkpoint = (low + unit * (high - low)).astype(dtype), str(tiny_checkpoint("derain"))
    with pytest.raises(UsageError, match=r"give `range`, such as \(0, 255\)"):
        irflow_cli.restore(picture, "derain", checkpoint=checkpoint)
    done = irflow_cli.restore(picture, "derain", checkpoint=checkpoint, range=(low, high))
    expected = irflow_cli.restore(unit, "derain", checkpoint=checkpoint)
    assert done.dtype == dtype
    assert np.allclose((done.astype(float) - low) / (high - low), expected, atol=2e-3)
    inside = np.zeros((24, 32), bool)
    inside[4:9, 6:12] = True
    filled = irflow_cli.inpaint(picture, inside, checkpoint=str(tiny_checkpoint("prior")), range=(low, high))
    assert np.array_equal(filled[~inside], picture[~inside])
    with pytest.raises(UsageError, match="`range`"):
        irflow_cli.restore(picture, "derain", checkpoint=checkpoint, range=(high, low))


@pytest.mark.parametrize("fault", ["cut off", "closed"])
def test_images_that_cannot_be_read_are_told(derain, prior, fault: str, tmp_path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(RNG.integers(0, 256, (40, 50), np.uint8)).save(path)
    if fault == "cut off":
        path.write_bytes(path.read_bytes()[:900])
    with Image.open(path) as broken:
        if fault == "closed":
            broken.close()
        with pytest.raises(ImageError, match="an image cannot be read"):
            derain(broken)
        with pytest.raises(ImageError, match="an image cannot be read"):
            irflow_cli.inpaint(np.zeros((40, 50), np.uint8), broken, checkpoint=prior)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_matrix_is_an_array(derain, dtype: type) -> None:
    plain = scene(20, 30)[..., 0].astype(dtype) / dtype(255 if dtype == np.float32 else 1)
    assert np.array_equal(derain(plain.astype(dtype).view(np.matrix)), derain(plain.astype(dtype)))
