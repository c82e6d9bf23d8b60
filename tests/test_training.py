"""Training: it learns, it resumes to the same bits, it ends cleanly."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn import TINY, scene
from PIL import Image
from safetensors.torch import load_file

from irflow_cli.errors import CheckpointError, NothingToDo, UsageError
from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.runtime.corpus import load_corpus, load_rain_layers
from irflow_cli.services import sources, training
from irflow_cli.services.sources import PARTS, STORED, Part, Source, draw_source
from irflow_cli.services.training import LOG, STATE, Run, TrainProgress, TrainRequest, factor, train
from irflow_cli.tasks import TASKS


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for seed in range(14):
        Image.fromarray(scene(72, 80, seed)).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def request_(photographs: Path, tmp_path: Path) -> TrainRequest:
    return TrainRequest(
        photographs,
        tmp_path / "run",
        "denoise",
        spec=TINY,
        iterations=12,
        batch=4,
        crop=24,
        validate_every=6,
        consistency_every=3,
        device="cpu",
        warmup=4,
    )


@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_a_resumed_run_ends_with_the_same_bits(request_: TrainRequest, tmp_path: Path, optimiser: str) -> None:
    request_ = replace(request_, optimiser=optimiser)
    whole = train(request_)
    broken = replace(request_, out=tmp_path / "broken")
    train(replace(broken, iterations=5))
    result = train(replace(broken, resume=True))
    assert result.iterations == whole.iterations == 12
    assert result.psnr == whole.psnr
    ours, theirs = (load_file(out / STATE) for out in (request_.out, broken.out))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_run_goes_on_with_its_own_options_alone(request_: TrainRequest) -> None:
    train(replace(request_, iterations=3))
    for other in ({"rate": 5e-4}, {"crop": 32}, {"task": "derain"}, {"distance": "mse"}, {"seed": 1}):
        with pytest.raises(UsageError, match=f"begun with --{next(iter(other))}"):
            train(replace(request_, resume=True, **other))
    assert train(replace(request_, resume=True, decay=0.5, iterations=5, validate_every=2)).iterations == 5


def test_an_interruption_does_not_choose_what_ships(request_: TrainRequest, monkeypatch) -> None:
    scores = iter((30.0, 20.0, 25.0))
    monkeypatch.setattr(training, "validate", lambda net, pairs: next(scores))

    def interrupt(progress: TrainProgress) -> None:
        if progress.iteration == 2:
            os.kill(os.getpid(), signal.SIGINT)

    first = train(replace(request_, validate_every=2, iterations=3), interrupt)  # 30, and at the interruption 20
    assert first.interrupted == signal.SIGINT
    assert load_checkpoint(first.checkpoint).card.scores["validation_psnr"] == 30
    train(replace(request_, validate_every=9, iterations=4, resume=True))  # 25, at the planned end
    assert load_checkpoint(first.checkpoint).card.scores["validation_psnr"] == 30


def test_a_card_tells_where_its_run_began(request_: TrainRequest, tmp_path: Path) -> None:
    first = train(replace(request_, iterations=3))
    parent = load_checkpoint(first.checkpoint).card
    second = train(replace(request_, iterations=3, out=tmp_path / "second", init=str(first.checkpoint)))
    trained = load_checkpoint(second.checkpoint).card.trained
    assert (trained["started_from"], trained["minutes_before"]) == (parent.digest, parent.minutes)
    assert replace(parent, trained={"minutes": 2.5, "minutes_before": 4}).minutes == 6.5


def test_it_learns_and_ships_the_average(request_: TrainRequest) -> None:
    result = train(replace(request_, iterations=120, validate_every=40))
    log = [json.loads(line) for line in (request_.out / LOG).read_text().splitlines()]
    scores = [entry["psnr"] for entry in log if entry["psnr"] is not None]
    assert scores[-1] > scores[0] + 0.5
    assert all(entry["rate"] > 0 and entry["loss"] > 0 for entry in log)
    shipped, state = load_file(result.checkpoint), load_file(request_.out / STATE)
    assert torch.equal(shipped["exit.weight"], state["average.exit.weight"].half())
    assert not torch.equal(shipped["exit.weight"], state["net.exit.weight"].half())
    card = load_checkpoint(result.checkpoint).card
    assert (card.task, card.trained["iterations"]) == ("denoise", 120)
    assert card.scores["validation_psnr"] == pytest.approx(result.psnr, abs=1e-3)


MEAN = """
import torch
from irflow_cli.runtime.team import join_team
team, _ = join_team(torch.device("cpu"))
own = [torch.full((2, 3), float(team.rank)), torch.arange(3.0) * (1 + team.rank)]
team.share(own)
print([t.flatten().tolist() for t in own], team.most(float(team.rank), torch.device("cpu")), team.first)
"""


def together(*command: str) -> list[subprocess.CompletedProcess[str]]:
    """Return how two processes ended that were started as torchrun starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, *command],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    ends = [process.communicate(timeout=120) for process in running]
    return [subprocess.CompletedProcess(p.args, p.returncode, *end) for p, end in zip(running, ends, strict=True)]


def test_processes_share_their_gradients_and_agree() -> None:
    first, second = together("-c", MEAN)
    expected = [[0.5] * 6, [0.0, 1.5, 3.0]]
    assert (first.stdout, second.stdout) == (f"{expected} 1.0 True\n", f"{expected} 1.0 False\n")


def test_two_processes_train_one_network(photographs: Path, tmp_path: Path) -> None:
    options = "--task denoise --size small --iterations 3 --batch 2 --crop 16 --validate-every 2 --device cpu"
    ends = together("-m", "irflow_cli", "train", str(photographs), "-o", str(tmp_path / "run"), *options.split())
    assert [end.returncode for end in ends] == [0, 0], [end.stderr for end in ends]
    assert [end.stdout for end in ends] == [f"{tmp_path / 'run' / 'best.safetensors'}\n", ""]
    card = load_checkpoint(tmp_path / "run" / "best.safetensors").card
    assert (card.trained["iterations"], card.trained["processes"]) == (3, 2)
    assert len((tmp_path / "run" / LOG).read_text().splitlines()) == 1


def test_a_trained_network_is_the_start_of_a_deeper_one(request_: TrainRequest, tmp_path: Path) -> None:
    result = train(request_)
    deeper = replace(TINY, depths=(1, 3))
    run = Run(replace(request_, init=str(result.checkpoint), spec=deeper), torch.device("cpu"))
    x, t = torch.rand(2, 3, 16, 16), torch.tensor([0.0, 0.5])
    assert torch.allclose(run.net(x, t), load_checkpoint(result.checkpoint).net(x, t), atol=1e-6)
    grown = train(replace(request_, init=str(result.checkpoint), spec=deeper, out=tmp_path / "grown"))
    assert load_file(grown.checkpoint)["encoder.1.2.second.weight"].any()
    with pytest.raises(CheckpointError, match="leave --size out"):
        Run(replace(request_, init=str(result.checkpoint), spec=replace(TINY, widths=(8, 16))), torch.device("cpu"))


def test_a_time_limit_counts_over_resumed_parts(request_: TrainRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock) / 10)  # a tenth of a second passes at every look
    timed = replace(request_, iterations=None, minutes=0.01)
    first = train(timed)
    assert 0 < first.iterations < 10
    assert train(replace(timed, resume=True)).iterations == first.iterations
    assert train(replace(timed, minutes=0.03, resume=True)).iterations > first.iterations


def test_a_prior_is_trained_and_is_no_start_for_others(request_: TrainRequest, tmp_path: Path) -> None:
    result = train(replace(request_, task="prior"))
    card = load_checkpoint(result.checkpoint).card
    assert (card.task, card.spec.time_map) == ("prior", True)
    with pytest.raises(CheckpointError, match="is a prior"):
        train(replace(request_, init=str(result.checkpoint), out=tmp_path / "other"))
    with pytest.raises(UsageError, match="no meaning for a prior"):
        train(replace(request_, task="prior", condition=True, out=tmp_path / "third"))


def test_a_second_input_begins_as_nothing(request_: TrainRequest, tmp_path: Path) -> None:
    first = train(request_)
    wider = replace(request_, init=str(first.checkpoint), condition=True, own_levels=True, out=tmp_path / "wider")
    before, after = load_checkpoint(first.checkpoint).net, Run(wider, torch.device("cpu")).net
    x, t = torch.rand(1, 3, 24, 24), torch.tensor([0.3])
    assert torch.allclose(before(x, t), after(x, t, torch.rand(1, 3, 24, 24)), atol=1e-6)
    result = train(wider)
    assert load_checkpoint(result.checkpoint).card.spec.condition


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends(request_: TrainRequest, number: int) -> None:
    def interrupt(progress: object) -> None:
        os.kill(os.getpid(), number)

    result = train(replace(request_, iterations=10_000), interrupt)
    assert result.interrupted == number
    assert 6 <= result.iterations < 10_000
    assert (request_.out / STATE).exists()
    assert result.checkpoint.exists()


def test_training_leaves_the_processor_as_it_was(request_: TrainRequest) -> None:
    train(replace(request_, iterations=1))
    assert float(torch.tensor(1e-40) * 1) > 0  # a denormal number is still one


def test_every_task_has_a_source(photographs: Path) -> None:
    corpus, _ = load_corpus(photographs, 24, torch.device("cpu"))
    clean = corpus.batch(48, 24, torch.Generator().manual_seed(0))
    assert PARTS.keys() | {"prior"} == TASKS.keys()
    for task in TASKS:
        source = draw_source(task, clean, torch.Generator().manual_seed(1))
        assert source.degraded.shape == clean.shape
        assert not torch.equal(source.degraded, clean)
        grey = (source.clean == source.clean[:, :1]).all(dim=(1, 2, 3))
        assert torch.equal(source.clean[~grey], clean[~grey])
        if TASKS[task].prior:
            continue
        assert torch.equal(source.degraded[grey], source.degraded[grey][:, :1].expand(-1, 3, -1, -1))
        assert bool(((source.start >= 0) & (source.start < 1)).all())
        assert bool((source.start > 0).any()) == (TASKS[task].sigma_max is not None)


@pytest.mark.parametrize("task", ["derain", "denoise", "deraindrop"])
def test_some_pictures_are_stored_as_jpeg_last(monkeypatch: pytest.MonkeyPatch, task: str) -> None:
    clean = torch.from_numpy(scene(48, 48)).permute(2, 0, 1)[None] / 255
    clean = clean.expand(40, -1, -1, -1).contiguous()

    def drawn(share: float) -> Source:
        monkeypatch.setattr(sources, "STORED", replace(STORED, share=share))
        return draw_source(task, clean, torch.Generator().manual_seed(1))

    none, some, all_ = drawn(0), drawn(STORED.share), drawn(1)
    changed = [float((one.degraded != none.degraded).any((1, 2, 3)).float().mean()) for one in (some, all_)]
    assert 0 < changed[0] < 0.4
    assert changed[1] == 1
    assert float((all_.degraded - none.degraded).abs().mean()) < 0.1  # no worse than a JPEG makes it


def test_noise_that_is_not_white_is_told_as_less(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = torch.full((400, 3, 16, 16), 0.5)
    monkeypatch.setitem(PARTS, "denoise", (Part("noise", 1, 30, 30),))

    def told(share: float) -> torch.Tensor:
        monkeypatch.setattr(sources, "STORED", replace(STORED, share=share))
        return 55 * (1 - draw_source("denoise", flat, torch.Generator().manual_seed(1)).start)

    assert float(told(0).mean()) == pytest.approx(30, rel=0.03)
    assert float(told(0).std()) == pytest.approx(0.08 * 30, rel=0.2)
    assert float(told(1).mean()) == pytest.approx(0.55 * 30, rel=0.1)
    assert float(told(1).min()) < 3


def test_pixels_of_a_prior_stand_where_their_times_say(photographs: Path) -> None:
    corpus, _ = load_corpus(photographs, 24, torch.device("cpu"))
    clean = corpus.batch(40, 24, torch.Generator().manual_seed(0))
    source = draw_source("prior", clean, torch.Generator().manual_seed(1))
    times = source.start.expand(-1, 3, -1, -1)
    assert torch.allclose(source.degraded[times == 1], source.clean[times == 1], atol=1e-6)
    walking = times[:, 0].flatten(1).amin(1)  # of the pixels that are not known: one time a picture
    assert bool(((times == 1) | (times == walking[:, None, None, None])).all())
    assert bool((walking < 0.99).all())
    noise = (source.degraded - times * source.clean) / (1 - times).clamp_min(1e-3)
    noise = noise[(times < 0.9)]
    assert float(noise.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(noise.std()) == pytest.approx(0.5, abs=0.02)
    shares = (times == 1).float().mean((1, 2, 3))
    assert float(shares.min()) == 0  # some are noise throughout
    assert 0.3 < float(shares.mean()) < 0.8
    assert float(shares.max()) < 1


def test_held_out_pictures_are_never_trained_on(photographs: Path) -> None:
    training, held_out = load_corpus(photographs, 24, torch.device("cpu"))
    assert held_out.pictures
    whole = {picture.numpy().tobytes() for picture in training.pictures}
    assert not any(picture.numpy().tobytes() in whole for picture in held_out.pictures)


def test_pairs_are_cut_alike(tmp_path: Path) -> None:
    for seed in range(3):
        for name, pixels in (("clean", scene(40, 50, seed)), ("degraded", 255 - scene(40, 50, seed))):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / name / f"{seed}.png")
    corpus, _ = load_corpus(tmp_path, 16, torch.device("cpu"))
    crops = corpus.batch(6, 16, torch.Generator().manual_seed(0))
    assert crops.shape == (6, 6, 16, 16)
    assert torch.allclose(crops[:, :3] + crops[:, 3:], torch.ones(()))
    train(TrainRequest(tmp_path, tmp_path / "run", "derain", spec=TINY, iterations=2, batch=2, crop=16, device="cpu"))
    (tmp_path / "degraded" / "1.png").unlink()
    with pytest.raises(UsageError, match=r"1\.png has 0 partners"):
        load_corpus(tmp_path, 16, torch.device("cpu"))


def test_holes_of_rain_layers_are_filled(tmp_path: Path) -> None:
    layer = scene(60, 90)[..., 0]
    layer[20:40, 30:50] = 0
    Image.fromarray(layer).save(tmp_path / "layer.png")
    known = layer * 0 + 255
    known[20:40, 30:50] = 0
    Image.fromarray(known).save(tmp_path / "layer.known.png")
    layers = load_rain_layers(tmp_path, 80)
    assert layers.shape == (1, 1, 80, 80)
    assert float(layers[0, 0, 24:36, 34:46].mean()) > 0.2


def test_the_rate_warms_up_stays_and_falls(request_: TrainRequest) -> None:
    stable, decaying = request_, replace(request_, decay=0.5)
    assert factor(0.0, 0, stable) == 0.25
    assert factor(0.9, 1000, stable) == factor(0.4, 1000, decaying) == 1
    assert factor(0.75, 1000, decaying) == pytest.approx(0.5)
    assert factor(1.0, 1000, decaying) == 0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"task": "paint"}, "unknown task"),
        ({"iterations": None}, "--minutes"),
        ({"minutes": 0.0}, "--minutes"),
        ({"iterations": 0}, "--iterations"),
        ({"batch": 0}, "--batch"),
        ({"decay": 1.5}, "--decay"),
        ({"crop": 512}, "--crop"),
        ({"distance": "huber"}, "--distance"),
        ({"optimiser": "sgd"}, "--optimiser"),
        ({"size": "huge"}, "--size"),
        ({"precision": "fp16"}, "--precision"),
        ({"data": Path("none")}, "no folder"),
    ],
)
def test_requests_that_make_no_sense_are_refused(request_: TrainRequest, change: dict, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        train(replace(request_, **change))
    assert not request_.out.exists()


def test_a_run_is_not_overwritten_and_a_missing_one_not_resumed(request_: TrainRequest, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="resume"):
        train(replace(request_, resume=True))
    train(replace(request_, iterations=1))
    with pytest.raises(UsageError, match="--resume"):
        train(request_)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToDo):
        train(replace(request_, data=tmp_path / "empty", out=tmp_path / "new"))
