"""Train what tells how far to believe a network that takes drops or rain off: the second network in its checkpoint.

    python benchmarks/confidence.py weights/deraindrop.safetensors --photos PHOTOS --work runs/confidence -o OUT.safetensors

Every photograph is taken as it is, and a crop of it with drops or rain; and of one in five a crop with what looks like them
(parts out of focus; lines of things), wet and dry. The network restores them; that takes most of the time, and goes on where
it stopped. Then the second network learns which part of each change brings the picture nearest to the truth. Dry pictures in
which the network changed much are shown more often, and wet ones in which it changed little; rainy ones also as a timid network
would have it, with a part of the change, as it is with real rain. One in eight is held out; on those it is scored: blocks of 64
pixels of dry pictures that move by half a level, before and after, and the PSNR of wet ones. --rounds: how often all are drawn.
--sources: what was drawn before, by this network or others. --rain-layers: rain from files, for some of the rainy ones.
"""

from __future__ import annotations

import argparse
import copy
import math
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from harm import moved
from mosaic import mean_psnr
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.api import Restorer
from irflow_cli.degradations import degrade
from irflow_cli.degradations.distractors import distractors
from irflow_cli.degradations.raindrops import raindrops
from irflow_cli.degradations.soften import defocus
from irflow_cli.engines.confidence import SHRINKS, confidence_of, seen_of
from irflow_cli.engines.evidence import keep_sound
from irflow_cli.images.decode import read_picture
from irflow_cli.images.find import find_pictures
from irflow_cli.nets.confidence import CELL, CHANNELS, WIDTH, ConfidenceNet
from irflow_cli.runtime.checkpoints import load_checkpoint, read_card, save_checkpoint
from irflow_cli.tasks import TASKS
from irflow_cli.tensors import array_of, tensor_of
from irflow_cli.training.dataset import load_rain_layers
from irflow_cli.training.optimisers import move_average
from irflow_cli.training.sampling import COMPRESSED, PARTS, applier, grain

SIDES = (384, 512)  # of a crop
SEEN = (96, 128)  # the crop of that which is learned from
HELD = 8  # one photograph of so many is held out
BATCH, RATE, DECAY = 8, 2e-3, 0.02
NEGATIVES = 0.4  # share of a batch without drops or rain
TIMID = (0.12, 0.8)  # parts of a change that a timid network makes
LEAST, USUAL = 0.3, 4.0  # changes, 0-255 scale, that do not count, and that count half


class Kind(NamedTuple):
    """What is drawn: what looks like drops or rain, drops or rain; of one in how many photographs."""

    alike: bool
    wet: bool
    every: int


KINDS = {
    "clean": Kind(False, False, 1),
    "alike": Kind(True, False, 5),
    "wet": Kind(False, True, 1),
    "alike-wet": Kind(True, True, 5),
}
ALIKE = {"deraindrop": defocus, "derain": distractors}


class Drawn(NamedTuple):
    """What a network changed of a crop. seen: (CHANNELS, h, w), by `seen_of`; moves: per cell the mean square of the change and
    its mean product with the error before, (2, h / CELL, w / CELL), pictures on [0, 1]; wet: whether it has drops."""

    seen: Tensor
    moves: Tensor
    wet: bool


def crop_of(picture: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return a part of a photograph (H, W, 3), at most SIDES in size, lying as it does."""
    sides = SIDES if picture.shape[1] >= picture.shape[0] else SIDES[::-1]
    starts = [chance.integers(0, max(0, have - side) + 1) for have, side in zip(picture.shape, sides, strict=False)]
    return picture[starts[0] : starts[0] + sides[0], starts[1] : starts[1] + sides[1]]


def drops_on(truth: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return a picture (1, 3, H, W) with drops, few in two of three, and its truth."""
    few = torch.rand(2, generator=generator)
    severity = 0.03 + 0.32 * few[1:] if few[0] < 0.65 else 0.35 + 0.65 * few[1:]
    return raindrops(truth, severity, generator), truth


def rain_on(truth: Tensor, generator: torch.Generator, layers: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return a picture (1, 3, H, W) with rain of the kinds that networks are trained on, two of three lighter than there, and
    its truth: both with a camera's grain, some of the rainy ones kept as JPEG."""
    parts = [part for part in PARTS["derain"] if part.kind != "clean" and (layers is not None or part.kind != "rain-layers")]
    lots = torch.rand(4, generator=generator).tolist()
    part = random.Random(lots[0]).choices(parts, [part.share for part in parts])[0]
    less = min(1.0, 0.1 + 1.35 * lots[3])
    severity = torch.tensor([less * (part.low + (part.high - part.low) * lots[1] ** 1.5)])
    rainy, noise = applier(part.kind, layers)(truth, severity, generator), grain(truth, generator)
    rainy, truth = ((one + noise).clamp(0, 1) for one in (rainy, truth))
    stored = COMPRESSED.low + (COMPRESSED.high - COMPRESSED.low) * lots[2] / COMPRESSED.share
    return (degrade(rainy, "jpeg", stored, generator=generator) if lots[2] < COMPRESSED.share else rainy), truth


def drawn_pair(
    clean: np.ndarray, kind: str, seed: int, task: str = "deraindrop", layers: Tensor | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop (H, W, 3), uint8, as the network is to see it, and its truth."""
    generator, (alike, wet, _) = torch.Generator().manual_seed(seed), KINDS[kind]
    truth = tensor_of(clean).float() / 255
    degraded = truth = ALIKE[task](truth, generator) if alike else truth
    if wet:
        degraded, truth = rain_on(truth, generator, layers) if task == "derain" else drops_on(truth, generator)
    return tuple(array_of(one.mul(255).round().byte())[0] for one in (degraded, truth))  # type: ignore[return-value]


def moves_of(degraded: np.ndarray, result: np.ndarray, truth: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the `moves` of Drawn for as many cells as `shape` says."""
    change, error = ((one.astype(np.float32) - degraded) / 255 for one in (result, truth))
    means = [(change**2).mean(2), (-error * change).mean(2)]
    return np.stack([cv2.resize(one, shape[::-1], interpolation=cv2.INTER_AREA) for one in means])


def draw(checkpoint: str, photos: Path, work: Path, rain: Path | None, round_: int, part: tuple[int, int]) -> None:
    """Draw all kinds of crops of one part of the photographs, those that are not there yet."""
    torch.set_num_threads(1)
    task, layers = read_card(Path(checkpoint)).task, load_rain_layers(rain) if rain else None
    restore = Restorer(task, checkpoint=checkpoint, device="cpu")
    restore.engine.least = restore.engine.net.confidence = None  # changes as they come
    for index, path in list(enumerate(find_pictures(photos)))[part[0] :: part[1]]:
        picture = read_picture(path).rgb8()
        for number, (kind, what) in enumerate(KINDS.items()):
            name = work / f"{index:04}-{round_}-{kind}.npz"
            if name.exists() or (index + round_) % what.every:
                continue
            seed = 1000 * index + 10 * round_ + number
            chosen = crop_of(picture, np.random.default_rng(seed)) if what.alike or what.wet else picture
            degraded, truth = drawn_pair(chosen, kind, seed, task, layers)
            result, values = restore(degraded), {}
            for shrunk in SHRINKS:
                seen = seen_of(degraded, result, shrunk=shrunk)[0].numpy()
                cells = tuple(side // CELL for side in seen.shape[1:])
                values |= {f"seen{shrunk:g}": seen.astype(np.float16)}
                values |= {f"moves{shrunk:g}": moves_of(degraded, result, truth, cells).astype(np.float32)}
            begun = name.with_suffix(".part")
            with begun.open("wb") as file:
                np.savez(file, degraded=degraded, result=result, truth=truth, **values)
            begun.rename(name)


def files_of(folders: list[Path], held: bool) -> Iterator[tuple[Path, str]]:
    """Yield the files of photographs that are held out, or of the others, each with its kind."""
    for path in sorted(path for folder in folders for path in folder.glob("*.npz")):
        index, _, kind = path.stem.split("-", 2)
        if (int(index) % HELD == 0) == held:
            yield path, kind


def load(folders: list[Path], timid: bool) -> list[Drawn]:
    """Return what was drawn of the photographs that are not held out. timid: the wet ones also with a part of the change."""
    found = []
    for path, kind in files_of(folders, held=False):
        wet = KINDS[kind].wet
        with np.load(path) as values:
            for shrunk in SHRINKS:
                seen, moves = (torch.from_numpy(values[f"{name}{shrunk:g}"]) for name in ("seen", "moves"))
                found.append(Drawn(seen, moves, wet))
                if wet and timid:
                    found.append(timid_of(values["degraded"], values["result"], values["truth"], shrunk))
    return found


def timid_of(degraded: np.ndarray, result: np.ndarray, truth: np.ndarray, shrunk: float) -> Drawn:
    """Return a wet picture of which a random part of the change was made, of TIMID, mostly a small one."""
    part = math.exp(random.uniform(*map(math.log, TIMID)))
    less = np.round(degraded + part * (result.astype(np.float32) - degraded)).astype(np.uint8)
    seen = seen_of(degraded, less, shrunk=shrunk)[0]
    moves = moves_of(degraded, less, truth, tuple(side // CELL for side in seen.shape[1:]))
    return Drawn(seen.half(), torch.from_numpy(moves.astype(np.float32)), True)


def size_of(drawn: Drawn) -> Tensor:
    """Return the size of the change of each cell, 0-255 scale."""
    return drawn.moves[0].clamp_min(0).sqrt() * 255


def part_of(drawn: Drawn) -> Drawn:
    """Return a random part of SEEN in size, perhaps mirrored, in other colours, or darker or brighter."""
    height, width = (max(0, side - have) for side, have in zip(SEEN, drawn.seen.shape[1:], strict=True))
    seen = F.pad(drawn.seen.float()[None], (0, width, 0, height), mode="replicate")[0]
    moves = F.pad(drawn.moves, (0, width // CELL, 0, height // CELL))
    top, left = (random.randrange(0, have // CELL - side // CELL + 1) for have, side in zip(seen.shape[1:], SEEN, strict=True))
    rows, columns = SEEN[0] // CELL, SEEN[1] // CELL
    seen = seen[:, top * CELL : top * CELL + SEEN[0], left * CELL : left * CELL + SEEN[1]]
    moves = moves[:, top : top + rows, left : left + columns]
    if random.random() < 0.5:
        seen, moves = seen.flip(-1), moves.flip(-1)
    if random.random() < 0.3:
        seen = torch.cat([seen[:6].unflatten(0, (2, 3))[:, torch.randperm(3)].flatten(0, 1), seen[6:]])
    gain = math.exp(random.uniform(-0.25, 0.15)) if random.random() < 0.5 else 1.0
    gains = torch.tensor([gain] * 7 + [1.0] * (CHANNELS - 7))[:, None, None]  # of all but the logarithms
    return Drawn(seen * gains, moves * gain**2, drawn.wet)


def learn(net: ConfidenceNet, drawn: list[Drawn], minutes: float, rate: float = RATE) -> ConfidenceNet:
    """Train for so many minutes, at most at so high a rate: cross entropy to the share of each change that is best, weighed by
    the size of the change. Return a network of the running average of the weights."""
    averaged = copy.deepcopy(net).requires_grad_(False)
    dry, wet = ([one for one in drawn if one.wet == which] for which in (False, True))
    changed = [min(30.0, 0.05 + float(size_of(one).sum()) / 20) for one in dry]
    light = [1 / (8 + float(size_of(one).mean())) for one in wet]
    optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=DECAY)
    start, iteration, mean = time.monotonic(), 0, 0.0
    while (progress := (time.monotonic() - start) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, iteration / 100, max(0.01, (1 - progress) / 0.7))
        chosen = [random.choices(*((dry, changed) if random.random() < NEGATIVES else (wet, light)))[0] for _ in range(BATCH)]
        parts = [part_of(one) for one in chosen]
        moves = torch.stack([one.moves for one in parts])
        best, size = (-moves[:, 1] / (moves[:, 0] + 1e-9)).clamp(0, 1), moves[:, 0].clamp_min(0).sqrt() * 255
        weight = size / (size + USUAL) * (size > LEAST)
        logits = net(torch.stack([one.seen for one in parts]))
        loss = (F.binary_cross_entropy_with_logits(logits, best, reduction="none") * weight).sum() / weight.sum().clamp_min(1)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        move_average(averaged, net, iteration + 1)
        iteration, mean = iteration + 1, 0.99 * mean + 0.01 * loss.item() if iteration else loss.item()
        if iteration % 500 == 0:
            print(f"iteration {iteration}, {100 * progress:.0f} %, loss {mean:.4f}", flush=True)
    return averaged


def score(net: ConfidenceNet, folders: list[Path], task_name: str) -> str:
    """Return, kind by kind, what becomes of photographs that are held out, without the second network and with it."""
    task, found = TASKS[task_name], defaultdict(list)
    assert task.least is not None
    for path, kind in files_of(folders, held=True):
        with np.load(path) as values:
            degraded, result, truth = (values[name] for name in ("degraded", "result", "truth"))
        ends = []
        for believed in (None, confidence_of(net, degraded, result)):
            ends.append(result.copy())
            keep_sound(degraded, ends[-1], task.least, 1.0, task.more, believed)
        one = [mean_psnr([(end, truth)]) if KINDS[kind].wet else float((moved(end, truth) >= 0.5).sum()) for end in ends]
        found[kind].append([*one, moved(truth, truth).size])
    return "; ".join(f"{kind}: {said_of(np.array(values), KINDS[kind].wet)}" for kind, values in sorted(found.items()))


def said_of(values: np.ndarray, wet: bool) -> str:
    """Return one line of pictures' figures (pictures, without and with and blocks)."""
    if wet:
        return "{:.2f} dB without, {:.2f} with, {} pictures".format(*values[:, :2].mean(0), len(values))
    return "{:.0f} blocks of {:.0f} move without, {:.0f} with, {} pictures".format(*values.sum(0)[[0, 2, 1]], len(values))


def main() -> None:
    """Read the command line, draw, train, and write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--init", help="a checkpoint whose second network is trained on")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--sources", nargs="*", type=Path, default=[])
    parser.add_argument("--width", type=int, default=WIDTH, help="of the second network")
    parser.add_argument("--rain-layers", type=Path)
    parser.add_argument("--pictures", help="what the card is to say of the photographs", default="those of the first network")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
        parts = [(part, given.processes) for part in range(given.processes)]
        for round_ in range(given.rounds):
            list(pool.map(partial(draw, given.checkpoint, given.photos, given.work, given.rain_layers, round_), parts))
    torch.manual_seed(0)
    random.seed(0)
    begun = load_checkpoint(given.init).net.confidence if given.init else None
    net = (begun or ConfidenceNet(given.width)).train().requires_grad_(True)
    loaded = load_checkpoint(given.checkpoint)
    timid = loaded.card.task == "derain"  # drops were learned without
    net = learn(net, load([given.work, *given.sources], timid), given.minutes, given.rate)
    scores = score(net.eval(), [given.work], loaded.card.task)
    print(scores.replace("; ", "\n"))
    loaded.net.confidence = net.requires_grad_(False)
    card = replace(loaded.card, spec=replace(loaded.card.spec, confidence=len(net.entry.bias)))  # type: ignore[call-arg]
    trained = {**card.trained, "confidence_minutes": given.minutes, "confidence_pictures": given.pictures}
    save_checkpoint(
        given.out, loaded.net.state_dict(), replace(card, trained=trained, scores={**card.scores, "confidence": scores})
    )


if __name__ == "__main__":
    main()
