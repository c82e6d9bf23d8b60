"""What a project's file may set. It may be a stranger's, in a folder of pictures or a repository, so it has tastes alone."""

from __future__ import annotations

# Options, by name, that change how a result is computed and looks, and nothing else.
HARMLESS = frozenset(
    {
        *("task", "method", "steps", "grid", "sampler", "sigma", "strength", "texture", "ensemble"),
        *("preset", "corrections", "start", "stop", "samples", "scale", "operator", "kind", "severity", "seed"),
        *("mask_tolerance", "mask_threshold", "mask_resize", "mask_dilate", "mask_feather"),
        *("tile", "overlap", "batch", "device", "precision", "engine"),
        *("suffix", "format", "range", "quality", "lossless", "quiet", "verbose", "as_json", "dry_run", "fail_fast"),
        *("minutes", "iterations", "size", "crop", "rate", "warmup", "decay", "distance", "optimiser", "consistency"),
        *(
            "self_conditioned",
            "condition",
            "known",
            "guessed",
            "validate_every",
            "accumulate",
            "prefetch",
            "at_start",
            "consistency_every",
            "save_minutes",
        ),
        *("degrade", "methods", "presets", "border", "metrics"),
    }
)

# All others, by why they are not: an option's name, or "command.name" where another command has a harmless one of that name.
REFUSED = {
    "it runs a program": ("baseline_command", "compile_net", "open_page"),
    "it names what is read": ("shard", "mask", "masks", "baseline", "rain_layers", "recursive"),
    "it names what is written": ("output", "name_template", "report", "name", "plot", "tensorboard"),
    "it names the weights": ("checkpoint", "init", "recipe"),
    "it decides what becomes of results that exist": ("overwrite", "resume", "skip_existing"),
    "it decides what a picture tells of you": ("metadata",),
    "it is a limit that protects you": ("max_pixels", "sha256", "read_only", "port"),
    "it chooses what of a picture is replaced": ("mask_box", "mask_color", "mask_from_alpha", "mask_invert"),
    "it makes another command of it": ("speed", "compare", "watch", "raw", "runner"),
    "it is about one file alone": ("sigma_max", "order", "licence", "models convert.task", "models convert.size"),
}
REASONS = {name: reason for reason, names in REFUSED.items() for name in names}


def refusal(command: str, option: str) -> str | None:
    """Return why a project's file may not set an option of a command, None where it may. What is in no table it may not."""
    reason = REASONS.get(f"{command}.{option}") or REASONS.get(option)
    return reason or (None if option in HARMLESS else "it is not known to be harmless")
