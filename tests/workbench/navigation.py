"""The pages of the app's menu, read from its entry script without running it."""

import ast
from pathlib import Path

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
