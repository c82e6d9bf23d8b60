"""Tables between markers: those of the kind that is asked for, with names and without."""

from __future__ import annotations

import markers

PAGE = """before
<!-- bench one -->
old
<!-- /bench -->
<!-- bench two -->
<!-- /bench -->
<!-- speed -->
fast
<!-- /speed -->
after
"""


def test_tables_are_found_and_filled_by_kind_and_name() -> None:
    assert markers.tables(PAGE, "bench") == {"one": "old", "two": ""}
    assert markers.tables(PAGE, "speed") == {"": "fast"}
    new = markers.filled(PAGE, "bench", {"two": "new\n"}.get)  # nothing is said of the other
    assert markers.tables(new, "bench") == {"one": "old", "two": "new"}
    assert new.replace("new\n", "") == PAGE
    assert markers.filled(new, "bench", markers.tables(new, "bench").get) == new


def test_what_stands_in_a_table_is_no_pattern() -> None:
    assert markers.tables(markers.filled(PAGE, "speed", lambda name: r"a\1 \g<2>"), "speed") == {"": r"a\1 \g<2>"}
