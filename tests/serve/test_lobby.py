"""What is answered before pictures can be."""

from __future__ import annotations

from collections.abc import Callable


def test_every_word_of_the_page_is_there(make_page: Callable) -> None:
    page = make_page()
    names = [part.split('"')[0] for part in page.client.get("/").text.split('"/page/')[1:]]
    assert {"main.js", "style.css", "icon.svg"} <= set(names)
    for name in names:
        answer = page.client.get(f"/page/{name}")
        assert answer.status_code == 200 and "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    for name in ("../app.py", "..%2fapp.py", "nothing.js"):
        assert page.client.get(f"/page/{name}").status_code in (404, 403)
