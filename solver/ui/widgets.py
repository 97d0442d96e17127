"""What several pages draw: cards of key figures, tables with units, charts, empty states, the header of a result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import streamlit as st

from solver.errors import InputError
from solver.ui.phrases import phrase
from solver.ui.text import has, t
from solver.whatif.safe import markdown

Record = Mapping[str, Any]
INK = {"light": "#1f2933", "dark": "#e6e9ec"}
"""Text of charts by theme."""
FONT = "'Source Sans', 'Noto Sans KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"
TONES: dict[str, Literal["green", "orange", "red", "gray"]] = {
    "good": "green", "warn": "orange", "bad": "red", "calm": "gray",
}  # fmt: skip
"""How a fact looks -> colour of its badge."""
DIGITS = 5
"""Digits of a number in a table that count."""
CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"]}


def plain(text: object) -> str:
    """Return text that Markdown shows as it is."""
    return markdown(text)


@dataclass(frozen=True)
class Column:
    """A column of a table: where its cells come from, its heading and unit, and what kind of thing it holds.

    `scale` is what cells are divided by, so that the unit suits their size; cells that are `said` are names and
    sentences of the solver, shown in the reader's language.
    """

    id: str
    label: str
    unit: str = ""
    kind: Literal["text", "number", "percent", "money"] = "text"
    scale: float = 1.0
    help: str = ""
    said: bool = False


def kpi_cards(cards: Sequence[Record]) -> None:
    """Draw key figures side by side.

    Parameters
    ----------
    cards : sequence of mappings
        ``name``, ``value`` (text), ``unit``, ``definition`` (exactly what is counted); where compared ``delta`` (text
        with its sign), ``better`` (True, False or None for neither) and ``against``; ``range`` (text) where it has one.
    """
    for card, place in zip(cards, st.columns(len(cards)) if cards else (), strict=True):
        with place.container(border=True, height="stretch"):
            delta = card.get("delta")
            good = card.get("better")
            name = plain(phrase(card["name"]))
            st.caption(name)
            st.metric(
                name, card["value"], delta, label_visibility="collapsed",
                delta_color="off" if good is None else "normal" if (str(delta)[:1] not in "-−") == good else "inverse",
                delta_description=phrase(card["against"]) if card.get("against") else None,
            )  # fmt: skip
            unit = f"**{plain(card['unit'])}**  \n" if card.get("unit") else ""
            lines = [unit + plain(phrase(card.get("definition") or ""))]
            lines += [plain(t("common.between", range=card["range"]))] if card.get("range") else []
            for line in filter(None, lines):
                st.caption(line)


def table(
    rows: Iterable[Record],
    columns: Sequence[Column],
    key: str | None = None,
    *,
    selectable: bool = False,
    on_click: Callable[[], None] | None = None,
    alt: str | None = None,
) -> list[int]:
    """Draw rows under headings with units; return which were selected, none where they cannot be.

    Parameters
    ----------
    rows : iterable of mappings
    columns : sequence of Column
    key : str, optional
    selectable : bool
        Whether one row can be chosen.
    on_click : callable, optional
        Called once when a row is chosen; `st.session_state[key]` then says which.
    alt : str, optional
        What the table shows, for screen readers.
    """
    frame = pd.DataFrame([{c.id: _cell(row.get(c.id), c) for c in columns} for row in rows],
                         columns=[c.id for c in columns])  # fmt: skip
    config = {c.id: _config(c) for c in columns}
    if not selectable and on_click is None:
        st.dataframe(frame, hide_index=True, column_config=config, key=key, placeholder="", alt=alt)
        return []
    chosen: Any = st.dataframe(
        frame, hide_index=True, column_config=config, key=key, placeholder="", alt=alt, on_select=on_click or "rerun",
        selection_mode="single-row",
    )  # fmt: skip
    return [int(n) for n in chosen["selection"]["rows"]]


def _cell(value: Any, column: Column) -> Any:
    """A number in the unit of its column, with the digits that count."""
    if value is None or column.kind == "text" or isinstance(value, str):
        return None if value is None else phrase(value) if column.said else str(value)
    scaled = float(value) / column.scale
    return scaled if column.kind == "percent" else float(f"{scaled:.{DIGITS}g}")


def _config(column: Column) -> Any:
    """How a column is shown."""
    label = f"{column.label} [{column.unit}]" if column.unit else column.label
    if column.kind == "text":
        return st.column_config.TextColumn(label, help=column.help or None)
    shown: Any = {"percent": "percent", "money": "localized", "number": "localized"}[column.kind]
    return st.column_config.NumberColumn(label, help=column.help or None, format=shown)


def theme() -> str:
    """Return ``light`` or ``dark``, as the reader sees the page."""
    return "dark" if st.context.theme.type == "dark" else "light"


def chart(figure: Any, key: str, title: str = "", hint: str = "", on_click: Callable[[], None] | None = None) -> None:
    """Draw a plotly figure in the colours of the page.

    Parameters
    ----------
    figure : plotly Figure or None
        None draws nothing.
    key : str
    title, hint : str
        Heading, and what it shows, which screen readers are told as well.
    on_click : callable, optional
        Called once when a point is clicked; `st.session_state[key]` then says which.
    """
    if figure is None:
        return
    if title:
        st.markdown(f"**{plain(title)}**")
    if hint:
        st.caption(plain(hint))
    dress(figure)
    alt = f"{title}. {hint}".strip(". ") or None
    if on_click is None:
        st.plotly_chart(figure, key=key, theme=None, config=CONFIG, alt=alt)
    else:
        st.plotly_chart(
            figure, key=key, theme=None, config=CONFIG, alt=alt, on_select=on_click, selection_mode="points"
        )


def dress(figure: Any, by: str | None = None) -> None:
    """Give a figure the text colour of a theme; backgrounds of all figures are clear already."""
    ink = INK[by or theme()]
    figure.update_layout(
        font_color=ink, font_family=FONT, legend_font_color=ink, hoverlabel={"font": {"size": 12, "family": FONT}}
    )
    figure.update_layout(**{f"{axis}_title_font_size": 13 for axis in ("xaxis", "yaxis")})
    figure.update_traces(textfont={"color": ink, "family": FONT}, selector={"type": "sankey"})
    for kind in ("scatter", "waterfall"):
        figure.update_traces(textfont_color=ink, selector={"type": kind})


def empty(title: str, hint: str) -> None:
    """Draw what stands where there is nothing yet: what is missing, and what to do about it."""
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.markdown(f"#### {plain(title)}", width="content", text_alignment="center")
        st.markdown(plain(hint), width="content", text_alignment="center")
        st.space("small")


def run_header(name: str, facts: Sequence[Record], note: str = "") -> None:
    """Draw where a result stands.

    Parameters
    ----------
    name : str
    facts : sequence of mappings
        As `solver.whatif.standing.standing` returns them.
    note : str
    """
    st.markdown(f"##### {plain(name)}")
    if note:
        st.caption(plain(note))
    with st.container(horizontal=True, gap="small"):
        for fact in facts:
            known = f"common.{fact['id']}_{fact['value']}"
            words = t(known) if has(known) else t(f"common.{fact['id']}", value=fact["value"])
            st.badge(plain(words), color=TONES[fact["tone"]], help=_about(fact))
    for fact in facts:
        if fact.get("items"):
            with st.expander(t("common.changed_list", value=fact["value"])):
                st.markdown("\n".join(f"- {plain(item)}" for item in fact["items"]))


def _about(fact: Record) -> str | None:
    key = f"common.{fact['id']}_help"
    return t(key) if has(key) else None


def problems(error: InputError, title: str = "") -> None:
    """Draw every problem of bad input: where, what is wrong, what is allowed."""
    lines = [f"- {plain(str(problem))}" for problem in error.problems]
    st.error("\n".join([plain(title or t("common.mend")), "", *lines]))
