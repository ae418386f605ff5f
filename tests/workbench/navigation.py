"""The pages of the app's menu, read from its entry script without running it."""

import ast
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[2] / "workbench" / "app.py"


def menu() -> dict[str, str]:
    """Title of every page -> its path."""
    pages = {}
    for node in ast.walk(ast.parse(APP.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "st.Page":
            options = {word.arg: ast.literal_eval(word.value) for word in node.keywords}
            pages[options["title"]] = "/" if options.get("default") else f"/{options['url_path']}"
    return pages


MENU = menu()
# For what takes half a minute a page: one page whenever tests run, the others among the slow ones.
ONE_PAGE_FAST = [title if title == "Results" else pytest.param(title, marks=pytest.mark.slow) for title in MENU]
