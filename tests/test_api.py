"""The Python API: what goes in comes out."""

from __future__ import annotations

import doctest
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from drawn import TINY, lively, scene
from PIL import Image

import irflow_cli
from irflow_cli import api
from irflow_cli.engines.settings import RestoreSettings, SamplerSettings
from irflow_cli.errors import IrflowError, UsageError
from irflow_cli.runtime.checkpoints import Card, Checkpoint

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


def test_a_name_finds_the_shipped_checkpoint() -> None:
    picture = scene(24, 24)
    by_name = irflow_cli.restore(picture, "derain", checkpoint="derain", device="cpu")
    assert np.array_equal(by_name, irflow_cli.restore(picture, "derain", device="cpu"))


@pytest.mark.parametrize("picture", [np.zeros((3, 3), int), np.zeros((2, 2, 7), np.uint8), np.zeros((0, 3), np.uint8), "a.png"])
def test_other_things_are_refused(derain, picture: object) -> None:
    with pytest.raises(UsageError, match="expected"):
        derain(picture)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = irflow_cli.nothing


@pytest.fixture
def prior(tiny_checkpoint):
    """Return the tiny prior, loaded once."""
    return irflow_cli.load_checkpoint(tiny_checkpoint("prior"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (20, 30, 4)])
def test_holes_of_arrays_are_filled(prior, dtype: type, shape: tuple[int, ...]) -> None:
    picture = RNG.random(shape)
    picture = picture.astype(dtype) if np.dtype(dtype).kind == "f" else (picture * np.iinfo(dtype).max).astype(dtype)
    mask = np.zeros((20, 30), bool)
    mask[5:9, 8:20] = True
    filled = irflow_cli.inpaint(picture, mask, checkpoint=prior, steps=1)
    assert (filled.dtype, filled.shape) == (picture.dtype, picture.shape)
    assert np.array_equal(filled[~mask], picture[~mask])
    assert not np.array_equal(filled[mask], picture[mask])
    image = Image.fromarray((mask * 255).astype(np.uint8))
    assert np.array_equal(irflow_cli.inpaint(picture, image, checkpoint=prior, steps=1), filled)
    assert np.array_equal(irflow_cli.inpaint(picture, image.convert("RGB"), checkpoint=prior, steps=1), filled)
    wider = irflow_cli.inpaint(picture, mask, checkpoint=prior, steps=1, dilate=2, feather=1)
    assert (wider != filled).any()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_images_are_enlarged(prior, mode: str) -> None:
    picture = Image.fromarray(scene(12, 16)).convert(mode)
    large = irflow_cli.upscale(picture, 3, checkpoint=prior)
    assert (large.mode, large.size) == (mode, (48, 36))


def test_what_is_no_number_is_refused_but_where_it_is_missing(prior) -> None:
    picture, mask = scene(20, 24) / np.float32(255), np.zeros((20, 24), bool)
    mask[4:8, 4:9] = True
    picture[mask] = np.nan
    assert np.isfinite(irflow_cli.inpaint(picture, mask, checkpoint=prior)).all()
    picture[15, 3] = np.inf
    for work in (
        lambda: irflow_cli.inpaint(picture, mask, checkpoint=prior),
        lambda: irflow_cli.upscale(picture, checkpoint=prior),
        lambda: irflow_cli.restore(picture, "denoise", method="prior", sigma=5, checkpoint=prior),
    ):
        with pytest.raises(UsageError, match="nan or infinity"):
            work()


def test_a_seed_may_be_of_any_size(prior) -> None:
    picture = scene(16, 16)
    assert irflow_cli.restore(picture, "denoise", checkpoint=prior, method="prior", seed=2**70).shape == (16, 16, 3)


def test_masks_and_scales_that_do_not_fit_are_refused(prior) -> None:
    picture = scene(12, 16)
    for mode in ("I", "F"):
        with pytest.raises(UsageError, match=f"mode {mode} is not supported"):
            irflow_cli.inpaint(picture, Image.new(mode, (16, 12)), checkpoint=prior)
    with pytest.raises(UsageError, match="`mask` is"):
        irflow_cli.inpaint(picture, np.ones((5, 5), bool), checkpoint=prior)
    with pytest.raises(UsageError, match="`mask` is empty"):
        irflow_cli.inpaint(picture, np.ones((12, 16), np.uint8), checkpoint=prior)  # of 255
    with pytest.raises(UsageError, match=r"`mask` is \(H, W\)"):
        irflow_cli.inpaint(picture, np.ones((12, 16), int), checkpoint=prior)
    with pytest.raises(UsageError, match="`feather`"):
        irflow_cli.inpaint(picture, np.ones((12, 16), bool), checkpoint=prior, feather=-2)
    with pytest.raises(UsageError, match=r"`mask` is \(H, W\)"):
        irflow_cli.inpaint(picture, np.ones((12, 16, 3), bool), checkpoint=prior)
    for color in ("#ff0000", "#ffffff80"):
        with pytest.raises(UsageError, match="coloured or partly transparent"):
            irflow_cli.inpaint(picture, Image.new("RGBA", (16, 12), color), checkpoint=prior)
    with pytest.raises(UsageError, match="`scale`"):
        irflow_cli.upscale(picture, 7, checkpoint=prior)


def test_a_mask_of_sixteen_bits_is_white_where_it_is_white() -> None:
    picture, mask = scene(40, 40), np.full((40, 40), 1000, np.uint16)
    mask[10:14, 10:30] = 65535
    filled = irflow_cli.inpaint(picture, Image.fromarray(mask))
    assert np.array_equal(filled[mask == 1000], picture[mask == 1000])


def test_the_prior_takes_noise_out_of_grey_pictures_as_out_of_others() -> None:
    clean = scene(96, 96)
    grey = np.repeat(clean.mean(2, keepdims=True), 3, 2).round().astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 25, grey.shape)
    noise[..., 1] = noise[..., 2] = noise[..., 0]

    def left(pixels: np.ndarray) -> float:
        return float(np.square(pixels.reshape(96, 96, -1)[..., 0] - grey[..., 0].astype(float)).mean())

    noisy = (grey[..., 0] + noise[..., 0]).clip(0, 255).round().astype(np.uint8)
    one = left(irflow_cli.restore(noisy, "denoise", method="prior", sigma=25).astype(float))
    assert one < 0.3 * left(noisy.astype(float))


def test_an_object_is_loaded_once_and_called_on_many(tiny_checkpoint) -> None:
    derain = irflow_cli.Restorer("derain", checkpoint=tiny_checkpoint("derain"), steps=1)
    fill = irflow_cli.Inpainter(checkpoint=tiny_checkpoint("prior"), steps=1, seed=3)
    enlarge = irflow_cli.Upscaler(3, checkpoint=fill.checkpoint)
    mask = np.zeros((20, 24), bool)
    mask[4:9, 5:11] = True
    for seed in (0, 1):
        picture = scene(20, 24, seed)
        one = irflow_cli.restore(picture, "derain", checkpoint=derain.checkpoint, steps=1)
        assert np.array_equal(derain(picture), one)
        filled = irflow_cli.inpaint(picture, mask, checkpoint=fill.checkpoint, steps=1, seed=3)
        assert np.array_equal(fill(picture, mask), filled)
        assert np.array_equal(enlarge(picture), irflow_cli.upscale(picture, 3, checkpoint=fill.checkpoint))
    other = [
        irflow_cli.Inpainter(checkpoint=fill.checkpoint, preset="varied", seed=1)(picture, mask, seed=s) for s in (1, None, 2)
    ]
    assert np.array_equal(other[0], other[1])
    assert not np.array_equal(other[0], other[2])


def test_a_batch_is_its_pictures_and_shares_calls(tiny_checkpoint, monkeypatch) -> None:
    denoise = irflow_cli.Restorer("denoise", checkpoint=tiny_checkpoint("denoise"), batch=2)
    pictures = [scene(16, 20, 0), scene(16, 20, 1)[..., 0], scene(16, 20, 2), Image.fromarray(scene(16, 20, 3)), scene(9, 9, 4)]
    alone = [np.asarray(denoise(picture)) for picture in pictures]
    noted = denoise.notes
    calls = []
    together = denoise.engine.restore_batch
    monkeypatch.setattr(denoise.engine, "restore_batch", lambda group: calls.append(len(group)) or together(group))
    batch = denoise.batch(pictures)
    assert sorted(calls) == [1, 1, 1, 2]
    assert [type(one) for one in batch] == [type(picture) for picture in pictures]
    assert all(np.abs(np.asarray(one).astype(int) - other).max() <= 1 for one, other in zip(batch, alone, strict=True))
    assert len(denoise.notes) == len(pictures) * len(noted)
    assert denoise.batch([]) == []
    with pytest.raises(UsageError, match="expected pixels"):
        denoise.batch([np.zeros((3, 3, 7), np.uint8)])


def test_options_are_the_fields_of_the_settings() -> None:
    for options, record in ((api.RestoreOptions, RestoreSettings), (api.SamplerOptions, SamplerSettings)):
        known = {field.name: field.type for field in fields(record) if field.name not in ("task", "checkpoint")}
        assert {name: kind.__forward_arg__ for name, kind in options.__annotations__.items()} == known


STRANGE = {
    "nothing": None,
    "a part": 1.5,
    "a text": "some",
    "bytes": b"some",
    "an empty list": [],
    "a list": [1, 2],
    "a dictionary": {"a": 1},
    "an object": object(),
    "an array": np.array([1, 2]),
    "no number": float("nan"),
    "endless": float("inf"),
    "truth": True,
    "complex": 1j,
    "huge": 10**30,
    "negative": -1,
    "whole of numpy": np.int64(2),
    "part of numpy": np.float32(0.5),
}
OPTIONS = [  # function, field, its kind
    *(("restore", one.name, str(one.type)) for one in fields(RestoreSettings)),
    *(("inpaint", one.name, str(one.type)) for one in fields(SamplerSettings)),
    *(("inpaint", name, "int") for name in ("dilate", "feather")),
    *(("upscale", one.name, str(one.type)) for one in fields(SamplerSettings)),
    ("upscale", "scale", "int"),
    ("upscale", "operator", "str"),
    *((name, "range", "pair | None") for name in ("restore", "inpaint", "upscale")),
]
FITTING = {
    "int": {"huge", "negative", "whole of numpy"},
    "float": {"a part", "no number", "endless", "huge", "negative", "whole of numpy", "part of numpy"},
    "bool": {"truth"},
    "str": {"a text"},
    "None": {"nothing"},
    "pair": {"a list", "an array"},
}


@pytest.mark.parametrize(("function", "field", "kind"), OPTIONS)
@pytest.mark.parametrize("strange", STRANGE)
def test_a_value_of_another_kind_is_refused_by_its_name(
    function: str, field: str, kind: str, strange: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def done(*given: object) -> None:
        raise IrflowError("a value that fits")

    for engine in ("restorer.Restorer.restore", "inpainter.Inpainter.fill", "upscaler.Upscaler.enlarge"):
        monkeypatch.setattr(f"irflow_cli.engines.{engine}", done)
    picture = np.zeros((8, 8), np.float32)
    given = (picture, np.eye(8, dtype=bool)) if function == "inpaint" else (picture,)
    settings = ({"task": "denoise"} if function == "restore" else {}) | {field: STRANGE[strange]}
    if strange in set().union(*(FITTING[one] for one in kind.split(" | "))):
        with pytest.raises(IrflowError):  # what is of its kind may be too much, or unknown
            getattr(irflow_cli, function)(*given, **settings)
        return
    with pytest.raises(UsageError, match=field) as caught:
        getattr(irflow_cli, function)(*given, **settings)
    assert caught.value.field == field


@pytest.mark.parametrize("pictures", [5, None, "a.png", np.zeros((8, 8)), np.zeros((8, 9, 3)), Image.new("L", (8, 8))])
def test_a_batch_is_of_several_pictures(pictures: object, tiny_checkpoint) -> None:
    restorer = irflow_cli.Restorer("derain", checkpoint=tiny_checkpoint("derain"))
    with pytest.raises(UsageError, match="`pictures` is a list of them"):
        restorer.batch(pictures)  # type: ignore[arg-type]


def test_engines_work_without_any_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a file was opened")

    nets = {task: lively(replace(TINY, time_map=task == "prior")) for task in ("derain", "prior")}
    made = {
        task: Checkpoint(net.eval(), Card(task, replace(TINY, time_map=task == "prior")), Path("none"))
        for task, net in nets.items()
    }
    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    picture, mask = scene(18, 22), np.eye(18, 22, dtype=bool)
    assert irflow_cli.Restorer("derain", checkpoint=made["derain"], tile=64)(picture).shape == (18, 22, 3)
    assert irflow_cli.Inpainter(checkpoint=made["prior"])(picture, mask).shape == (18, 22, 3)
    assert irflow_cli.Upscaler(2, checkpoint=made["prior"])(picture).shape == (36, 44, 3)


def test_the_package_is_typed_for_others() -> None:
    assert (Path(irflow_cli.__file__).parent / "py.typed").is_file()
    assert "Any" not in vars(api)


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


def test_examples_of_the_docstrings_hold() -> None:
    tried = doctest.testmod(api)
    assert tried.attempted >= 6
    assert not tried.failed
