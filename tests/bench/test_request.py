"""What makes no sense is refused in one line."""

from __future__ import annotations

import pytest
import torch
from drawn import scene
from PIL import Image


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--methods", "magic"), 2, "opencv-nlm"),
        (("--baseline-command", "tool in out"), 2, "{in}"),
        (("--baseline", "none.pth"), 4, "does not exist"),
        (("--border", "-1"), 2, "--border"),
        (("--task", "magic"), 4, "was trained for denoise, not for magic"),
        (("--steps", "two"), 2, "--steps"),
        (("--grid", "cubic"), 2, "released"),
        (("--sampler", "euler,cubic"), 2, "unknown --sampler 'cubic'; there are euler, heun"),
        (("--sampler", "restora-denoise"), 2, "--sampler restora-denoise goes with --method prior"),
        (("--task", "inpaint", "--degrade", "thin", "--sampler", "euler"), 2, "give inpaint --presets"),
        (("--degrade", "magic"), 2, "--degrade"),
        (("--masks", "somewhere"), 2, "--masks is for --task inpaint"),
        (("--degrade", "noise:25", "--crop", "5"), 2, "--crop must be"),
        (("--task", "inpaint"), 2, "--degrade of inpaint is one of"),
        (("--task", "inpaint", "--degrade", "thin:3"), 2, "--degrade of inpaint is one of"),
        (("--task", "inpaint", "--masks", "nowhere"), 2, "there is no folder nowhere"),
        (("--task", "upscale", "--degrade", "area:7"), 2, "--degrade of upscale is"),
        (("--task", "upscale", "--degrade", "area:2,grid:2"), 2, "one operator and one scale"),
        (("--task", "inpaint", "--degrade", "pixels:1.5"), 2, "--degrade of inpaint is one of"),
        (("--task", "inpaint", "--degrade", "grid:0"), 2, "--degrade of inpaint is one of"),
        (("--task", "inpaint", "--degrade", "thin", "--presets", "magic:3"), 2, "unknown --sampler"),
        (("--task", "inpaint", "--degrade", "thin", "--presets", "slow"), 2, "SAMPLER=WEIGHT:STEPS"),
        (("--task", "inpaint", "--degrade", "thin", "--presets", "restora:4:1:0:0.5:more"), 2, "SAMPLER=WEIGHT:STEPS"),
        (("--task", "prior", "--degrade", "noise:25"), 2, "a prior is measured by inpaint or upscale"),
        (("--task", "inpaint", "--degrade", "thin", "--steps", "1,2"), 2, "give inpaint --presets"),
        (("--task", "upscale", "--degrade", "area:2", "--ensemble"), 2, "give upscale --presets"),
        (("--task", "derain", "--presets", "fast"), 2, "give --steps"),
        (("--task", "derain", "--crop", "32"), 2, "not pairs"),
        (("--degrade", "noise:25,noise:15,noise:25"), 2, "--degrade has noise:25 more than once"),
        (("--baseline-command", "tool '{in} {out}"), 2, "No closing quotation"),
        (("--baseline-command", "./input {in} {out}"), 2, "cannot be called input"),
        (("--methods", "opencv-nlm", "--grid", "uniform"), 2, "irflow's, which is not among --methods"),
        (("--task", "derain", "--speed", "0.1"), 2, "DATA has no meaning with --speed; leave it out"),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments: tuple[str, ...], code: int, message: str, bench, tmp_path) -> None:
    for kind in ("clean", "degraded"):
        (tmp_path / "set" / kind).mkdir(parents=True)
        Image.fromarray(scene(64, 72)).save(tmp_path / "set" / kind / "a.png")
    done = bench(tmp_path / "set", "--quiet", *arguments, task="denoise")
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_what_cannot_be_measured_is_told_to_those_who_ask(pairs, bench, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    done = bench(pairs)
    assert "LPIPS" not in done.err
    assert "FID" not in done.err
    few = bench(pairs, "--metrics", "psnr,ssim")
    assert few.out.splitlines()[0].split(" | ")[1:] == ["PSNR", "SSIM", "s/MP", "MiB", "parameters |"]
    refused = bench(pairs, "--metrics", "psnr,dists")
    assert (refused.code, "DISTS cannot be measured here" in refused.err, refused.err.count("\n")) == (2, True, 1)
    unknown = bench(pairs, "--metrics", "beauty")
    assert (unknown.code, "no metric is called 'beauty'" in unknown.err) == (2, True)
