"""Tables on a page, between `<!-- KIND NAME -->` and `<!-- /KIND -->`, or without a name where a page has one of a kind."""

from __future__ import annotations

import re
from collections.abc import Callable


def filled(page: str, kind: str, text_of: Callable[[str], str | None]) -> str:
    """Return a page with the tables of a kind written anew. text_of: what belongs there, by name ("" without one); None leaves
    what is there."""

    def anew(found: re.Match[str]) -> str:
        text = text_of(found[2] or "")
        return found[0] if text is None else f"{found[1]}{text.strip()}\n{found[4]}"

    return _marked(kind).sub(anew, page)


def tables(page: str, kind: str) -> dict[str, str]:
    """Return the tables of a kind on a page, by name, without the lines' ends around them."""
    return {found[2] or "": found[3].strip() for found in _marked(kind).finditer(page)}


def _marked(kind: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {kind}(?: ([a-z0-9-]+))? -->\n)(.*?)(<!-- /{kind} -->)", re.DOTALL)
