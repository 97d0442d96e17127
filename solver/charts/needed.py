"""What charts need to be drawn."""

from solver.errors import InputError, Problem


def check_html() -> None:
    """Make sure that pages with charts can be written.

    Raises
    ------
    InputError
        If the package for them is not installed.
    """
    try:
        import plotly.graph_objects  # noqa: F401
    except ImportError:
        problem = Problem("--html", "", "", "", "needs the package plotly", "", "install tierwatt[report]")
        raise InputError([problem]) from None
