"""The command line as a whole: help, versions, the other commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import scene
from PIL import Image
from skimage import data

import irflow_cli
from irflow_cli.degradations.masks import HOLES
from irflow_cli.images.decode import read_picture
from irflow_cli.runtime.checkpoints import shipped_folder
from irflow_cli.tasks import RESTORED, TASKS


def test_help_does_not_import_torch() -> None:
    code = "import sys, irflow_cli.cli.app as a; a.run(['restore', '--help']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_command_loads_no_other() -> None:
    code = "import sys, irflow_cli.cli.app as a; a.run(sys.argv[1:]); print(*(name for name in sys.modules if '.cli.' in name))"
    for arguments, there in ((["serve", "--help"], {"serve"}), (["--help"], {"serve", "train", "restore", "models"})):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        loaded = {name.rpartition(".")[2] for name in done.stdout.splitlines()[-1].split()}
        assert loaded & {"serve", "train", "restore", "models"} == there


WORK = """
import sys
from irflow_cli.cli.app import run
for command in ("restore --task derain", "inpaint --mask-box 4,4,8,8", "upscale"):
    code = run([*command.split(), sys.argv[1], "--device", "cpu"])
    assert code == 0 and not {"sympy", "torch._dynamo"} & sys.modules.keys(), command
"""


def test_no_work_loads_the_compiler_of_torch(picture_file: Callable[..., Path]) -> None:
    """It takes seconds and a hundred megabytes, and comes with innocent things such as a linspace on the meta device."""
    command = [sys.executable, "-c", WORK, str(picture_file("a.png"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
@pytest.mark.parametrize("arguments", ["models list", "--help"])
def test_a_reader_that_is_gone_ends_the_command(arguments: str) -> None:
    command = f"{sys.executable} -m irflow_cli {arguments} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.parametrize("task", ["derain", "denoise"])
def test_a_task_in_the_place_of_a_command_is_told(task: str, irflow) -> None:
    done = irflow(task, "in.png")
    assert done.code == 2 and f"`irflow restore --task {task}`" in done.err and done.err.count("\n") == 1


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "irflow_cli", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"irflow {irflow_cli.__version__}\n"


def test_models_are_listed_and_shown(irflow) -> None:
    listed = irflow("models", "list", "--json")
    assert listed.code == 0
    tasks = {json.loads(line)["name"]: json.loads(line)["task"] for line in listed.out.splitlines()}
    assert all(tasks.get(task.checkpoint) == name for name, task in TASKS.items() if task.checkpoint)
    shown = irflow("models", "show", "derain")
    assert json.loads(shown.out)["trained"]["iterations"] > 0
    assert irflow("models", "show", "nothing").code == 4


# How much of the mean error may be left; drops are the hardest.
REMAINS = {"derain": 0.4, "denoise": 0.3, "deraindrop": 0.8}
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


@pytest.mark.parametrize("task", RESTORED)
def test_shipped_checkpoints_improve_what_they_are_for(task: str, irflow, tmp_path: Path) -> None:
    photograph = np.asarray(Image.open(PICTURES / "cup.png").convert("RGB"))[:200, :240]
    clean = tmp_path / "clean.png"
    Image.fromarray(photograph).save(clean)
    kind = {"derain": "rain", "denoise": "noise", "deraindrop": "raindrops"}[task]
    degraded, restored = tmp_path / "degraded.png", tmp_path / "restored.png"
    assert irflow("degrade", clean, "-o", degraded, "--kind", kind, "--seed", 3).code == 0
    assert irflow("restore", degraded, "--task", task, "--steps", 2, "-o", restored).code == 0
    before, after = (np.abs(read_picture(path).pixels.astype(float) - photograph).mean() for path in (degraded, restored))
    assert after < REMAINS[task] * before
    assert (shipped_folder() / f"{task}.safetensors").exists()


@pytest.mark.parametrize(("kind", "quality"), [("noise", 75), ("noise", 95), ("camera", 85)])
def test_noise_whose_level_compression_hides_goes_too(kind: str, quality: int, irflow, tmp_path: Path) -> None:
    clean, noisy, stored, restored = (tmp_path / name for name in ("clean.png", "noisy.png", "stored.jpg", "restored.png"))
    photograph = data.astronaut()[20:220, 140:340]
    Image.fromarray(photograph).save(clean)
    assert irflow("degrade", clean, "-o", noisy, "--kind", kind, "--severity", 20).code == 0
    Image.open(noisy).save(stored, quality=quality, subsampling="4:2:0")
    done = irflow("restore", stored, "--task", "denoise", "-o", restored)
    assert float(re.search(r"about sigma ([0-9.]+)", done.err)[1]) > 5  # an estimate is blind here, the network is not
    before, after = (np.abs(read_picture(path).pixels.astype(float) - photograph).mean() for path in (stored, restored))
    assert after < 0.65 * before


def test_the_shipped_prior_fills_enlarges_and_cleans(irflow, tmp_path: Path) -> None:
    clean, source, target = scene(160, 160), tmp_path / "in.png", tmp_path / "out.png"

    def psnr(other: np.ndarray, wanted: np.ndarray = clean) -> float:
        return float(10 * np.log10(255**2 / np.mean((wanted.astype(float) - other) ** 2)))

    hole = HOLES["scratches"](160, 160, np.random.default_rng(0))
    Image.fromarray(np.where(hole[..., None], 255, clean).astype(np.uint8)).save(source)
    Image.fromarray(hole.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    assert irflow("inpaint", source, "--mask", tmp_path / "mask.png", "-o", target).code == 0
    assert psnr(read_picture(target).pixels) > psnr(read_picture(source).pixels) + 8
    soft = cv2.GaussianBlur(clean, (0, 0), 1.2)
    small = cv2.resize(soft, (80, 80), interpolation=cv2.INTER_AREA)
    Image.fromarray(small).save(source)
    assert irflow("upscale", source, "-o", target, "--overwrite").code == 0
    assert psnr(read_picture(target).pixels, soft) > psnr(small.repeat(2, 0).repeat(2, 1), soft) + 1
    Image.fromarray(clean).save(tmp_path / "clean.png")
    assert irflow("degrade", tmp_path / "clean.png", "-o", source, "--kind", "noise", "--overwrite").code == 0
    command = ("restore", source, "--task", "denoise", "--method", "prior", "-o", target, "--overwrite")
    assert irflow(*command).code == 0
    assert psnr(read_picture(target).pixels) > psnr(read_picture(source).pixels) + 6
