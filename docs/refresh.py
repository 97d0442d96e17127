"""Run the commands that stand in the docs and put their output beside them: ``make docs``.

A comment ``<!-- output: COMMAND -->`` is followed by an indented block, which is replaced by what the command
prints. A block after ``<!-- file: NAME -->`` is written to that file first. All commands of a page run in one
temporary folder, in their order; one that needs a variable of the environment that is not set is left as it is.
A list entry that links a page of ``studies/results`` gets that page's answer behind the link.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ["README.md", "docs/performance.md", "docs/validation.md"]
BLOCK = re.compile(r"<!-- (file|output): (.+?) -->\n\n((?:(?: {4}.*)?\n)*)(?=\S|\Z)")
ANSWER = re.compile(r"(- \[[^\]]+\]\((studies/results/\w+\.md)\)) .+?\n(?=- |\n)", re.DOTALL)
WIDTH = 127


def indented(text: str) -> str:
    """Return text as an indented block with an empty line behind it."""
    return "".join(f"    {line}".rstrip() + "\n" for line in text.rstrip().splitlines()) + "\n"


def output(command: str, folder: Path) -> str | None:
    """Run a command line in a folder; None where it needs a variable that is not set."""
    if any(name not in os.environ for name in re.findall(r"\$(\w+)", command)):
        return None
    print(command, flush=True)
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, shell=True, cwd=folder, text=True, stdout=subprocess.PIPE, env=os.environ | {"PATH": search}
    )
    return done.stdout


def answered(found: re.Match[str]) -> str:
    """Return a list entry with the answer of the page that it links."""
    answer = re.search(r"^\*\*(.+)\*\*$", (ROOT / found[2]).read_text(), re.MULTILINE)
    if answer is None:
        return found[0]
    text = " ".join(f"{found[1]} {answer[1]}".split())
    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False) + "\n"


def refresh(page: Path) -> None:
    """Replace the outputs of one page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for known in ("studies", "benchmarks"):
            (folder / known).symlink_to(ROOT / known)

        def replaced(found: re.Match[str]) -> str:
            kind, what, block = found.groups()
            if kind == "file":
                target = folder / what
                target.parent.mkdir(exist_ok=True)
                target.write_text("".join(line[4:] or "\n" for line in block.rstrip().splitlines(keepends=True)) + "\n")
                return found.group(0)
            text = output(what, folder)
            return found.group(0) if text is None else f"<!-- {kind}: {what} -->\n\n{indented(text)}"

        page.write_text(ANSWER.sub(answered, BLOCK.sub(replaced, page.read_text())))


if __name__ == "__main__":
    for wanted in sys.argv[1:] or PAGES:
        refresh(ROOT / wanted)
