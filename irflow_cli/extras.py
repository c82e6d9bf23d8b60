"""How to get an extra of irflow: by the same way that irflow itself came to this machine."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import irflow_cli

PACKAGE = "irflow"


def hint(extra: str) -> str:
    """Return "run `pip install ...`" for an extra, as it works here: from the folder, the repository, the file or the index
    that irflow was installed from; where that folder or file is gone, the extra's packages by themselves."""
    return f"run `pip install {_source(extra)}`"


def _source(extra: str) -> str:
    """Return what pip is to be given, quoted for a shell."""
    try:
        text = distribution(PACKAGE).read_text("direct_url.json")  # of the standard for installed packages; none from an index
    except PackageNotFoundError:
        text = None
        folder = Path(irflow_cli.__file__).parents[1]  # it runs from its source tree, without being installed
        if (folder / "pyproject.toml").is_file():
            return f"'{folder}[{extra}]'"
    if not text:
        return f"'{PACKAGE}[{extra}]'"
    known = json.loads(text)
    url = str(known["url"])
    path = url2pathname(urlsplit(url).path)
    if urlsplit(url).scheme == "file" and "vcs_info" not in known and not Path(path).exists():
        return _packages(extra)
    if "dir_info" in known:
        edited = "-e " if known["dir_info"].get("editable") else ""
        return f"{edited}'{path}[{extra}]'"
    kept = f"{known['vcs_info']['vcs']}+{url}" if "vcs_info" in known else url
    return f"'{PACKAGE}[{extra}] @ {kept}'"


def _packages(extra: str) -> str:
    """Return the packages of an extra, as the installed package names them."""
    named = (text.replace('"', "'").partition(";") for text in distribution(PACKAGE).requires or ())
    return " ".join(f"'{name.strip()}'" for name, _, marker in named if f"extra == '{extra}'" in marker)
