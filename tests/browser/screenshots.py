"""Pictures of every page for the docs: ``python tests/browser/screenshots.py [FOLDER]``, `make screenshots`.

What the pages show is solved first, by the same functions as in a worker: a megawatt (`studies/small.toml`), explained
in full. That takes some minutes; the results are kept in a folder that a second run with ``--runs`` takes up again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from conftest import browser_path, missing  # noqa: E402
from driven import serving, settled  # noqa: E402

from solver.explain import SECTIONS  # noqa: E402
from solver.study import Study, load_study  # noqa: E402
from solver.whatif.attributed import ask_attributes, askable  # noqa: E402
from solver.whatif.explanations import (  # noqa: E402
    ON_CHOICE,
    ask_changed,
    ask_front,
    ask_quote,
    ask_sections,
    ask_sweep,
    study_of,
)
from solver.whatif.kinds import RUNNERS, Job  # noqa: E402
from solver.whatif.offers import offered  # noqa: E402
from solver.whatif.store import DONE, Request, Run, Store  # noqa: E402
from solver.whatif.warm import Warm  # noqa: E402

WORKSPACE = "tierwatt-screenshots-w"
WIDTH, HEIGHT, TALLEST = 1440, 900, 2400
"""A laptop's window, and the tallest picture in pixels."""
COLOURS = 192


def solved(store: Store, warm: Warm, request: Request, name: str, note: str = "") -> Run:
    """Do a request as a worker does; one that was done before is taken as it is."""
    for run in store.list(WORKSPACE):
        if run.name == name and run.request == request and run.state == DONE:
            return run
    print(f"solving: {name}", file=sys.stderr, flush=True)
    run = store.add(request, WORKSPACE, name, note)
    store.begin(run.id)
    job = Job(request, warm, lambda event: None, lambda: False, lambda: False, lambda part: None)
    store.end(run.id, DONE, RUNNERS[request.kind](job))
    found = store.get(run.id)
    assert found is not None
    return found


def seeded(folder: Path, file: Path) -> dict[str, Run]:
    """Solve what the pages show."""
    store, warm = Store(folder / "runs"), Warm()
    study = load_study(file)
    power = study.site.power_mw or 1.0
    impossible = {"demand.mode": "fixed", "demand.floor_frac": 1.0, "site.power_mw": 0.04 * power}
    too_much = _asked(study.with_changes(impossible))
    runs = {"impossible": solved(store, warm, too_much, f"all of it with {0.04 * power:g} MW")}
    first = runs["first"] = solved(store, warm, _asked(study), f"{power:g} MW", "as discussed with procurement")
    runs["dear"] = solved(
        store, warm,
        Request("solve", study.to_dict(), {"memory_prices": [
            {"id": row, "price_usd_per_gb": float(usd) * 1.5} for row, usd in _prices(warm, study).items()
        ]}, {}, first.id),
        "memory 50% dearer",
    )  # fmt: skip
    runs["more"] = solved(store, warm, ask_changed(first, {"site.power_mw": 1.25 * power}), f"{1.25 * power:g} MW")
    runs["front"] = solved(store, warm, ask_front(first, "capex", "tokens_per_mw", 7), "front")
    runs["sweep"] = solved(
        store, warm, ask_sweep(first, "site.power_mw", [power * k for k in (0.5, 0.75, 1.0, 1.25, 1.5)]), "range"
    )
    runs["quote"] = solved(store, warm, _offer(store, warm, first), "quote")
    sections = [name for name in SECTIONS if name not in ON_CHOICE]
    runs["explained"] = solved(store, warm, ask_sections(first, sections), "explained")
    runs["parts"] = solved(store, warm, _other_part(store, warm, first), "part figures")
    return runs


def _other_part(store: Store, warm: Warm, run: Run) -> Request:
    """Ask by how much a server that is not bought would have to be better."""
    design = store.design(run.id)
    assert design is not None
    bought = {line["part"] for line in design.bill_of_materials}
    rows = askable(study_of(run), warm.catalog(run.request))
    others = (row for row in rows if row["kind"] == "platform" and row["part"] not in bought)
    part = next(row for row in others if len(row["attributes"]) > 2)
    return ask_attributes(run, str(part["part"]), part["attributes"])


def _offer(store: Store, warm: Warm, run: Run) -> Request:
    """Ask whether a quarter of the dearest platform of a build is worth a tenth less than the catalog asks."""
    design = store.design(run.id)
    assert design is not None
    line = max((b for b in design.bill_of_materials if b["kind"] == "platform"), key=lambda b: float(b["capex_usd"]))
    asks = next(row["usd"] for row in offered(study_of(run), warm.catalog(run.request)) if row["part"] == line["part"])
    return ask_quote(run, str(line["part"]), round(0.9 * asks, -3), max(1, int(line["quantity"]) // 4))


def _asked(study: Study) -> Request:
    return Request("solve", study.to_dict())


def _prices(warm: Warm, study: Study) -> dict[str, Any]:
    """Prices of DRAM and flash in the study's quarter."""
    rows = warm.catalog(_asked(study)).rows("memory_prices")
    return {str(row.id): row["price_usd_per_gb"] for row in rows if row["quarter"] == study.site.price_quarter}


def pictures(address: str, runs: dict[str, Run], out: Path) -> None:
    """Open each page and take its picture, light and dark where it matters."""
    from playwright.sync_api import sync_playwright

    about, no_build = runs["first"].id, runs["impossible"].id
    taken = [
        ("design", f"?run={about}", "", False), ("design_dark", f"?run={about}", "", True), ("catalog", "catalog?", "", False),
        ("explain", f"explain?run={about}", "", False), ("ladder", f"explain?run={about}", "What comes next", False),
        ("prices", f"explain?run={about}", "Entry prices", False), ("why", f"explain?run={about}", "Why this build", False),
        ("parts", f"explain?run={about}", "Part figures", False),
        ("tradeoffs", f"explain?run={about}", "Trade-offs", True), ("uncertainty", f"explain?run={about}", "Uncertainty", False),
        ("formula", f"explain?run={about}", "Formulas", False), ("infeasible", f"explain?run={no_build}", "", False),
        ("compare", "compare?", "", False), ("sweep", f"compare?run={about}", "A range of one input", False),
        ("quote", f"quote?run={about}", "", False),
    ]  # fmt: skip
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=browser_path(), args=["--no-sandbox", "--disable-gpu"])
        for name, path, tab, dark in taken:
            context = browser.new_context(
                viewport={"width": WIDTH, "height": HEIGHT},
                color_scheme="dark" if dark else "light",
                device_scale_factor=1,
            )
            page = context.new_page()
            page.set_default_timeout(120e3)
            page.goto(f"{address}/{path}{'' if path.endswith('?') else '&'}w={WORKSPACE}")
            settled(page)
            if tab:
                words = page.get_by_text(tab, exact=True).first
                if not words.is_visible():  # on a busy machine a page may be settled before it has begun
                    page.reload()
                    words.wait_for(timeout=60e3)
                words.click()
                settled(page)
            _tall(page)
            page.screenshot(path=out / f"{name}.png")
            _smaller(out / f"{name}.png")
            context.close()
            print(out / f"{name}.png")
        browser.close()


def _tall(page: Any) -> None:
    """Make the window as tall as its page, and let charts be drawn at that size."""
    height = page.evaluate(
        "() => Math.max(...[...document.querySelectorAll('[data-testid=stMain],[data-testid=stSidebarContent]')]"
        ".map(e => e.scrollHeight))"
    )
    page.set_viewport_size({"width": WIDTH, "height": max(HEIGHT, min(int(height), TALLEST))})
    page.wait_for_timeout(2500)
    settled(page)


def _smaller(path: Path) -> None:
    """Write a picture with a palette, where Pillow is there: a page has few colours."""
    try:
        from PIL import Image
    except ImportError:
        return
    with Image.open(path) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> int:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "docs" / "img")
    parser.add_argument("--study", type=Path, default=ROOT / "studies" / "small.toml", help="what is solved")
    parser.add_argument("--runs", type=Path, help="folder of solved runs, made where it is not there")
    given = parser.parse_args()
    reason = missing()
    if reason:
        print(f"NO PICTURES: {reason}", file=sys.stderr)
        return 1
    given.out.mkdir(parents=True, exist_ok=True)
    folder = given.runs or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        runs = seeded(folder, given.study)
        with serving(folder) as address:
            pictures(address, runs, given.out)
    finally:
        if given.runs is None:
            shutil.rmtree(folder, ignore_errors=True)
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
