"""The Ray runner on a local cluster of two workers. Skipped where Ray is not installed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drawn import scene
from PIL import Image

from irflow_cli.batch.journal import NAME
from irflow_cli.batch.plan import Files
from irflow_cli.cli.app import run
from irflow_cli.engines.settings import RestoreSettings
from irflow_cli.errors import CheckpointError
from irflow_cli.extras import hint
from irflow_cli.runtime.checkpoints import load_checkpoint
from irflow_cli.services import restore_on_ray as runner
from irflow_cli.services.restore_files import RestoreRequest, restore_files


def test_without_ray_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    Image.fromarray(scene(24, 32)).save(tmp_path / "a.png")
    assert run(["restore", str(tmp_path / "a.png"), "--task", "derain", "--runner", "ray"]) == 2
    assert capfd.readouterr().err == f"irflow: --runner ray needs Ray Data; {hint('ray')}\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    tests = str(Path(__file__).parents[1])
    variables = {"PYTHONPATH": os.pathsep.join([str(Path(tests).parent), tests, os.environ.get("PYTHONPATH", "")])}
    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False, runtime_env={"env_vars": variables})
    yield ray
    ray.shutdown()


@pytest.fixture
def request_of(tiny_checkpoint: Callable[[str], Path], tmp_path: Path) -> Callable[..., RestoreRequest]:
    (tmp_path / "in").mkdir()
    for seed in range(6):
        Image.fromarray(scene(24 + seed, 32, seed)).save(tmp_path / "in" / f"{seed}.png")
    (tmp_path / "in" / "damaged.png").write_bytes((tmp_path / "in" / "0.png").read_bytes()[:-300])

    def make(out: str, **options: Any) -> RestoreRequest:
        settings = RestoreSettings("derain", checkpoint=str(tiny_checkpoint("derain")), device="cpu")
        return RestoreRequest(Files((str(tmp_path / "in"),), tmp_path / out, **options), settings)

    return make


pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own, of Python and of itself


def test_ray_writes_what_the_local_run_writes_though_a_worker_is_killed(
    cluster: Any, request_of: Callable[..., RestoreRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = {outcome.job.source.name: outcome.status for outcome in restore_files(request_of("local"))}
    fatal = str(tmp_path / "fatal")
    Path(fatal).touch()

    class Killed(runner.Worker):
        def __call__(self, block: dict[str, Any]) -> dict[str, list[Any]]:
            done = super().__call__(block)  # its results are written, and nobody is told
            if os.path.exists(fatal):  # noqa: PTH110 - pickled by value
                os.unlink(fatal)  # noqa: PTH108
                os.kill(os.getpid(), signal.SIGKILL)
            return done

    monkeypatch.setattr(runner, "Worker", Killed)
    outcomes = list(runner.restore_on_ray(request_of("ray")))
    assert not Path(fatal).exists()
    assert {outcome.job.source.name: outcome.status for outcome in outcomes} == local
    for outcome in outcomes:
        digest = hashlib.sha256(outcome.job.target.read_bytes()).hexdigest() if outcome.status == "done" else None
        assert outcome.digest == digest
    damaged = next(outcome for outcome in outcomes if outcome.status == "failed")
    assert damaged.error is not None and "damaged or incomplete" in damaged.error
    for path in (tmp_path / "local").glob("*.png"):
        assert path.read_bytes() == (tmp_path / "ray" / path.name).read_bytes()
    recorded = [json.loads(line)["name"] for line in (tmp_path / "ray" / NAME).read_text().splitlines()]
    assert sorted(set(recorded)) == [f"{seed}.png" for seed in range(6)]


def test_what_is_on_record_is_left_out_before_ray_starts(
    request_of: Callable[..., RestoreRequest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("ray.data")
    list(restore_files(request_of("out", resume=True)))
    (tmp_path / "in" / "damaged.png").unlink()
    monkeypatch.setattr(runner, "_cluster", lambda ray: pytest.fail("Ray was started"))
    assert {outcome.status for outcome in runner.restore_on_ray(request_of("out", resume=True))} == {"skipped"}


def block_of(folder: Path, out: Path, *names: str) -> dict[str, Any]:
    """Return a block as Ray gives it to a worker."""
    return {
        "index": list(range(len(names))),
        "input": [str(folder / name) for name in names],
        "output": [str(out / name) for name in names],
        "exists": [False] * len(names),
    }


def test_a_worker_with_another_checkpoint_or_none_ends_the_run(
    request_of: Callable[..., RestoreRequest], tmp_path: Path
) -> None:
    request, block = request_of("out"), block_of(tmp_path / "in", tmp_path / "out", "0.png", "1.png")
    missing = replace(request, settings=replace(request.settings, checkpoint=str(tmp_path / "missing.safetensors")))
    for given, said in ((request, "another checkpoint"), (missing, "missing.safetensors")):
        rows = runner.Worker(given, "another digest", "identity")(block)
        assert rows["kind"] == [CheckpointError.__name__] * 2 and rows["status"] == [runner.ENDED] * 2
        assert said in rows["message"][0] and not (tmp_path / "out").exists()


def test_a_row_is_of_one_schema_whatever_became_of_a_picture(request_of: Callable[..., RestoreRequest], tmp_path: Path) -> None:
    request, out = request_of("out", resume=True), tmp_path / "out"
    digest = load_checkpoint(str(request.settings.checkpoint)).card.digest
    worker, block = runner.Worker(request, digest, "identity"), block_of(tmp_path / "in", out, "0.png", "damaged.png")
    for rows in (worker(block), worker(block)):  # the second as after a worker that was killed before it told
        assert tuple(rows) == runner.ROW and {len(column) for column in rows.values()} == {2}
        assert rows["status"] == ["done", "failed"] and rows["kind"] == ["", "ImageError"]
        assert rows["digest"] == [hashlib.sha256((out / "0.png").read_bytes()).hexdigest(), ""]
        assert rows["input"] == block["input"] and rows["output"] == block["output"]
    assert [json.loads(line)["sha256"] for line in (out / NAME).read_text().splitlines()] == rows["digest"][:1]
