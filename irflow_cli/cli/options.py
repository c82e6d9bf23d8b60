"""Options that several commands share, declared once."""

from __future__ import annotations

import functools
import glob
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from irflow_cli.batch.plan import Files
from irflow_cli.engines.settings import SamplerSettings
from irflow_cli.errors import UsageError
from irflow_cli.images.formats import QUALITY, Coding

# ruff: noqa: UP045 - typer reads Optional at run time on Python 3.10


def among(*values: str) -> Callable[[str], list[str]]:
    """Return what completes a word in the shell to one of `values`."""
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]


SHOWN = 40  # letters of choices that stand in the place of a value in help; longer lists stand in its sentence


def choice(*values: str, shown: str = "", **options: Any) -> Any:
    """Return an option that takes one of `values`: they are shown in help, and completed in the shell."""
    joined = shown or "|".join(values)
    return typer.Option(metavar=joined if len(joined) <= SHOWN else "NAME", autocompletion=among(*values), **options)


def checkpoints(incomplete: str) -> list[str]:
    """Return what completes a word in the shell to the name of a checkpoint or to a file of one."""
    from irflow_cli.runtime.places import cache_folder, checkpoints_in, shipped_folder

    names = dict.fromkeys(path.stem for path in checkpoints_in(shipped_folder(), cache_folder()))
    paths = sorted(Path().glob(f"{glob.escape(incomplete)}*")) if incomplete and not incomplete.startswith(("/", "~")) else []
    files = [str(path) + "/" * path.is_dir() for path in paths if path.is_dir() or path.suffix == ".safetensors"]
    return [*(name for name in names if name.startswith(incomplete)), *files]


def either(*names: str) -> str:
    """Return names as a sentence of help has them: a, b or c."""
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def typed(context: typer.Context, *sources: str) -> set[str]:
    """Return the options that stand on the command line, or in the `sources` that are named, such as ENVIRONMENT."""
    found = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in found.items() if source and source.name in (sources or ("COMMANDLINE",))}


SAMPLERS = ("euler", "heun", "restora-denoise")  # of `restore` and `bench`; the tables themselves would load torch
GRIDS = ("released", "uniform")
Inputs = Annotated[
    list[str],
    typer.Argument(help="Pictures, folders, patterns, @list.txt, or - for standard input.", show_default=False),
]
Output = Annotated[
    Optional[Path],
    typer.Option("--output", "-o", help="File or folder for the results, or -.", show_default="beside the input"),
]
Suffix = Annotated[Optional[str], typer.Option(help="Added to the name beside the input.", show_default="that of the command")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")]
Seed = Annotated[int, typer.Option(help="Seed of what is drawn at random; with the same one results are the same.")]
Device = Annotated[
    str,
    choice("auto", "cpu", "cuda", "mps", shown="auto|cpu|cuda|cuda:N|mps", help="Where it works.", envvar="IRFLOW_DEVICE"),
]
TrainingPrecision = Annotated[str, choice("auto", "fp32", "bf16", help="Numbers that the network computes in.")]
Engine = Annotated[
    str,
    choice("auto", "torch", "openvino", "onnxruntime", help="What computes the network.", envvar="IRFLOW_ENGINE"),
]
EnginePrecision = Annotated[
    str,
    choice("auto", "fp32", "bf16", "fp16", "int8", help="Numbers that the network computes in.", envvar="IRFLOW_PRECISION"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print size, time and engine of every picture.")]
Range = Annotated[
    Optional[str],
    typer.Option(help="Black and white of floating-point TIFFs, such as 0..255.", show_default="as the file says, or 0..1"),
]
MaxPixels = Annotated[int, typer.Option(help="Refuse pictures with more.", envvar="IRFLOW_MAX_PIXELS")]
Compare = Annotated[bool, typer.Option("--compare", help="Put a page with before and after beside each result.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print results as JSON Lines.")]

# The options of every command that reads and writes pictures: name -> type and help.
FILE_OPTIONS: dict[str, Any] = {
    "recursive": Annotated[bool, typer.Option("--recursive", "-r", help="Look below folders too; the tree is kept.")],
    "overwrite": Overwrite,
    "skip_existing": Annotated[bool, typer.Option("--skip-existing", help="Leave results that exist alone.")],
    "resume": Annotated[bool, typer.Option("--resume", help="Go on with a broken batch, by the record of what is done.")],
    "dry_run": Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be written, and do nothing.")],
    "fail_fast": Annotated[bool, typer.Option("--fail-fast", help="Stop at the first picture that fails.")],
    "shard": Annotated[
        Optional[str], typer.Option(help="Do the i-th of n parts, as 3/8; other machines do the others.", show_default="all")
    ],
    "name_template": Annotated[
        Optional[str],
        typer.Option(help="Of {stem} {suffix} {ext} {index} {parent}; {ext} has its dot.", show_default=False),
    ],
    "format": Annotated[
        Optional[str],
        choice(
            *("png", "jpg", "webp", "tiff", "bmp", "avif", "heic"),
            help="File format of the results.",
            show_default="the input's",
        ),
    ],
    "quality": Annotated[
        Optional[int], typer.Option(help="1 to 100, for lossy formats.", show_default=f"a JPEG's own, else {QUALITY}")
    ],
    "lossless": Annotated[bool, typer.Option("--lossless", help="Write WebP without loss; refuse lossy formats.")],
    "metadata": Annotated[
        str, choice("keep", "strip", "no-gps", help="What becomes of EXIF, XMP, captions, comments and texts.")
    ],
    "range": Range,
    "max_pixels": MaxPixels,
}


# How a prior is sampled: the options of inpaint and upscale. As above.
SAMPLER_OPTIONS: dict[str, Any] = {
    "sampler": Annotated[
        Optional[str],
        choice(
            *("pixelwise", "restora", "replacement", "repaint", "ddnm"),
            *("bridge", "pnp", "hqs", "ot-ode", "flow-priors", "d-flow"),
            help="pixelwise, restora, replacement, repaint, ddnm, bridge, pnp, hqs, ot-ode, flow-priors or d-flow.",
            show_default="the preset's",
        ),
    ],
    "steps": Annotated[Optional[int], typer.Option(help="Sampling steps.", show_default="the preset's")],
    "corrections": Annotated[
        Optional[int],
        typer.Option(
            help="Look-aheads of a step (restora), draws (pnp), repeats (repaint, ddnm), descents (flow-priors, d-flow).",
            show_default="the preset's",
        ),
    ],
    "start": Annotated[
        Optional[float],
        typer.Option(help="Time, 0 to 1, at which sampling begins in a guess.", show_default="the preset's"),
    ],
    "stop": Annotated[
        Optional[float],
        typer.Option(help="Time from which the last step goes to the end.", show_default="steps are equal"),
    ],
    "device": Device,
    "engine": Engine,
    "precision": EnginePrecision,
    "seed": Seed,
    "checkpoint": Annotated[
        Optional[str],
        typer.Option(help="A prior: a .safetensors file or a name.", show_default="shipped", autocompletion=checkpoints),
    ],
}


def with_files(command: Callable[..., int]) -> Callable[..., int]:
    """Return the command with FILE_OPTIONS among its own; they reach it as `files(inputs, output, suffix, usual)`,
    where suffix is what was given and usual what names get without it, beside the input."""

    def make(values: dict[str, Any], inputs: list[str], output: Path | None, suffix: str | None, usual: str) -> Files:
        if suffix is not None and output is not None and Files((), output).one_file:
            raise UsageError(f"`suffix` is added to names in a folder, and {output} is one file; leave it out")
        template = values["name_template"]
        if suffix is not None and template is not None and "{suffix" not in template:
            raise UsageError("`suffix` has no place in `name_template`; put {suffix} into it, or leave one of them out")
        if list(inputs) == ["-"] and output is None and (suffix is not None or template is not None):
            name = "suffix" if suffix is not None else "name_template"
            raise UsageError(f"`{name}` is for names of files, and the result goes to standard output; leave it out")
        if suffix is not None and output is not None and values["name_template"] is None:
            values = {**values, "name_template": "{stem}{suffix}{ext}"}
        suffix = usual if suffix is None else suffix

        coding = Coding(**{name: values[name] for name in ("quality", "lossless", "metadata")})
        others = {name: value for name, value in values.items() if name not in vars(coding)}
        return Files(tuple(inputs), output, suffix, coding=coding, **others)

    return _spread(command, "files", FILE_OPTIONS, {**vars(Files(())), **vars(Coding())}, make)


def with_sampler(presets: Sequence[str], sentence: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Return what gives a command SAMPLER_OPTIONS among its own, and --preset with these names and this help; they reach it as
    one function, `sampling()`."""
    preset = choice(*presets, help=sentence[:1].upper() + sentence[1:], show_default="auto")
    options = {"preset": Annotated[Optional[str], preset], **SAMPLER_OPTIONS}

    def make(values: dict[str, Any]) -> SamplerSettings:
        return SamplerSettings(**values)

    return lambda command: _spread(command, "sampling", options, vars(SamplerSettings()), make)


def _spread(
    command: Callable[..., int], name: str, options: dict[str, Any], defaults: dict[str, Any], make: Callable[..., Any]
) -> Callable[..., int]:
    """Return the command with `options` in place of its parameter `name`, which gets `make` with their values given. Their
    defaults are those of the records that they fill."""
    own = inspect.signature(command)
    hints = inspect.get_annotations(command, eval_str=True)  # typing.get_type_hints of Python 3.10 hides the options of None

    @functools.wraps(command)
    def spread(**values: Any) -> int:
        chosen = {option: values.pop(option) for option in options}
        return command(**values, **{name: functools.partial(make, chosen)})

    kept = [parameter.replace(annotation=hints[key]) for key, parameter in own.parameters.items() if key != name]
    added = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=defaults[option], annotation=kind)
        for option, kind in options.items()
    ]
    spread.__signature__ = inspect.Signature([*kept, *added])  # type: ignore[attr-defined]
    spread.__annotations__ = {parameter.name: parameter.annotation for parameter in (*kept, *added)}
    if name not in own.parameters:
        raise TypeError(f"{command.__name__} has no parameter {name}")
    del spread.__wrapped__  # type: ignore[attr-defined]
    return spread


def parse_tile(text: str) -> int | None:
    """Return None for `auto`, else the number; raises UsageError."""
    if text == "auto":
        return None
    if not text.isdecimal():
        raise UsageError(f"`tile` is auto, 0 for the whole picture at once, or a number of pixels; got {text!r}")
    return int(text)
