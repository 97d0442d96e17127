"""``python -m solver`` is the command ``tierwatt``."""

from __future__ import annotations

from solver.cli import main

if __name__ == "__main__":
    main()
