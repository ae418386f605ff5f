"""The README's screenshots, made anew from the run that ships with the project.

    python -m tests.workbench.gallery [PAGE...]

Needs Chromium. Each page is taken twice, in light and in dark, as WebP; together they stay under 1.5 MB.
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from core.runs.store import list_runs
from tests.workbench.conftest import CHROMIUM
from tests.workbench.navigation import MENU
from tests.workbench.serving import open_at, served, settled

GALLERY = Path(__file__).resolve().parents[2] / "pages" / "gallery"
WIDTH, HEIGHT, MOST_BYTES = 1400, 900, 1_500_000
# What a page shows in its picture, beyond the run.
VIEWS = {
    "Fusion attention": "&measure=weight&view=trained",
    "Results": "&task=entity_alignment&metric=MRR",
    "Probe": "&sentence=Berlin is the capital of Germany.%0Aبرلين هي عاصمة ألمانيا.%0A柏林是德国的首都。",
    "Audit": "&source=paper",
}


def main() -> None:
    wanted = sys.argv[1:] or list(MENU)
    if unknown := [title for title in wanted if title not in MENU]:
        sys.exit(f"No such page: {', '.join(unknown)}. There are: {', '.join(MENU)}.")
    GALLERY.mkdir(exist_ok=True)
    shipped = next(run.name for run in list_runs() if run.cached)
    with tempfile.TemporaryDirectory() as room, sync_playwright() as driver:
        runs = Path(room) / "runs"
        runs.mkdir()
        with served(Path(room), WORKBENCH_RUNS=str(runs)) as url:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme, reduced_motion="reduce"
                )
                context.set_default_timeout(120_000)
                for title in wanted:
                    page = context.new_page()
                    settled(open_at(page, f"{url}{MENU[title]}?run={shipped}{VIEWS.get(title, '')}"))
                    name = MENU[title].strip("/") or "overview"
                    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
                    picture.save(GALLERY / f"{name}-{scheme}.webp", quality=75, method=6)
                    page.close()
            browser.close()
    sizes = {file.name: file.stat().st_size for file in sorted(GALLERY.glob("*.webp"))}
    sys.stdout.write("".join(f"{size:>8,}  {name}\n" for name, size in sizes.items()))
    if sum(sizes.values()) > MOST_BYTES:
        sys.exit(f"{sum(sizes.values()):,} bytes are more than {MOST_BYTES:,}.")


if __name__ == "__main__":
    main()
