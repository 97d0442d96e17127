"""The form of the design page, in the sidebar: text in, a study out, faults by field."""

from __future__ import annotations

import contextlib
from typing import Any

import streamlit as st

from solver.errors import InputError
from solver.study import Study, study_from_dict
from solver.ui import state
from solver.ui.phrases import phrase
from solver.ui.text import t
from solver.ui.widgets import plain, problems
from solver.whatif.inputs import (
    MODES,
    POWERS,
    PROMISES,
    RATE,
    STUDY_BYTES,
    TOKENS,
    Form,
    FormError,
    catalog_power,
    catalog_promise,
    choices,
    form_of,
    money_unit,
    presets,
    read_study,
    study_of,
)

FORM, REVISION, OWN = "form", "form_revision", "own_study"
GRID = [2.6, 1.1, 1.0, 1.0]
"""Widths of the columns of the classes."""


@st.cache_data(show_spinner=False)
def _presets(folder: str) -> dict[str, dict[str, Any]]:
    return {name: study.to_dict() for name, study in presets(state.presets_folder()).items()}


def known_studies() -> dict[str, dict[str, Any]]:
    """Return the studies that can be chosen, by name, as plain data."""
    found = _presets(str(state.presets_folder()))
    own = st.session_state.get(OWN)
    return found if own is None else {**found, OWN: own}


def form() -> Form:
    """Return the form of this session: of the run that was opened, else as it stands, else of the first study."""
    opened = state.take_opened()
    run = None if opened is None else state.store().get(opened)
    if run is not None:
        with contextlib.suppress(InputError):  # asked of another version of the program: the form stays as it is
            fill(study_from_dict(run.request.study))
    if FORM not in st.session_state:
        fill(study_from_dict(next(iter(known_studies().values()))))
    found: Form = st.session_state[FORM]
    return found


def fill(study: Study) -> None:
    """Fill the form from a study; its fields get new keys, so that nothing typed before stays in them."""
    st.session_state[FORM] = form_of(study)
    st.session_state[REVISION] = int(st.session_state.get(REVISION, 0)) + 1


def draw(filled: Form) -> tuple[Study | None, Any]:
    """Draw the form; return the study that it means, None where it means none, and the place of the button."""
    _studies(filled)
    place = st.container()
    options = _options(filled)
    st.markdown(f"**{t('design.site.title')}**")
    _site(filled, options)
    st.markdown(f"**{t('design.work.title')}**")
    _work(filled, options)
    st.markdown(f"**{t('design.goal.title')}**")
    _goal(filled, options)
    try:
        return study_of(filled), place
    except FormError as error:
        lines = [f"- {_field_name(filled, name)}{plain(text)}" for name, text in error.faults.items()]
        place.error("\n".join([t("design.faults"), "", *lines]))
        return None, place


def _options(filled: Form) -> dict[str, dict[str, str]]:
    """What can be chosen: what the catalog has, and what the study says already."""
    found = choices(state.catalog())
    for name in ("quarter", "available", "objective"):
        value = str(filled.values[name])
        found[name] = dict(sorted({**found[name], value: found[name].get(value, value)}.items()))
    for name in ("cooling", "classes"):
        found[name] = {**{value: value for value in filled.values[name]}, **found[name]}
    return found


def _field_name(filled: Form, name: str) -> str:
    """What a field is called on the page, before what is wrong with it."""
    head, _, rest = name.partition(".")
    places = {"power": "site", "budget": "site", "quarter": "site", "available": "site", "cooling": "site",
              "basis": "site", "floor": "work", "classes": "work", "mode": "work", "objective": "goal", "gap": "goal",
              "time": "goal", "tokens": "goal"}  # fmt: skip
    label = ""
    if rest:
        label = f"{rest}, {t(f'design.work.{head}')}"
    elif head == "more":
        label = t("design.goal.keys")
    elif head in places:
        label = t(f"design.{places[head]}.{head}", unit=money_unit(filled.study))
    return f"**{plain(label)}:** " if label else ""


def _key(name: str) -> str:
    return f"f{st.session_state[REVISION]}_{name}"


def _text(filled: Form, name: str, label: str, **more: Any) -> None:
    """A field of text; what is typed is kept apart from the widget, which a change of page forgets."""
    key = _key(name)
    if key not in st.session_state:
        st.session_state[key] = str(filled.values.get(name) or "")
    filled.values[name] = st.text_input(label, key=key, **more)


def _choice(filled: Form, name: str, label: str, options: dict[str, str], **more: Any) -> None:
    key = _key(name)
    if key not in st.session_state:
        st.session_state[key] = filled.values[name]
    filled.values[name] = st.selectbox(label, list(options), key=key, format_func=lambda word: options[word], **more)


def _words(filled: Form, name: str, label: str, options: dict[str, str], **more: Any) -> None:
    key = _key(name)
    if key not in st.session_state:
        st.session_state[key] = filled.values[name]
    filled.values[name] = st.multiselect(label, list(options), key=key, format_func=lambda word: options[word], **more)


def _switch(filled: Form, name: str, label: str, options: dict[str, str], **more: Any) -> None:
    key = _key(name)
    if key not in st.session_state:
        st.session_state[key] = filled.values[name]
    filled.values[name] = st.segmented_control(
        label, list(options), key=key, format_func=lambda word: options[word], required=True, width="stretch", **more
    )


def _studies(filled: Form) -> None:
    """Choose a study that comes along, or open one's own."""
    known = known_studies()
    names = {name: name for name in known}
    if OWN in known:
        names[OWN] = t("design.preset_own", name=known[OWN]["name"])
    current = next((name for name, data in known.items() if data == filled.study.to_dict()), None)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    key = _key("preset")
    if key not in st.session_state:
        st.session_state[key] = current
    left.selectbox(t("design.preset"), list(names), key=key, format_func=lambda name: names[name],
                   placeholder=str(filled.study.name), on_change=_choose, args=(key,))  # fmt: skip
    with right.popover(":material/upload_file:", help=t("design.upload"), width="stretch"):
        upload = st.file_uploader(t("design.upload_label"), type=["toml"], key=_key("upload"),
                                  max_upload_size=max(1, STUDY_BYTES // 1_000_000))  # fmt: skip
        if upload is not None:
            _read(upload.name, upload.getvalue())
    if filled.study.description:
        st.caption(plain(filled.study.description))


def _choose(key: str) -> None:
    """Fill the form from the study that was chosen."""
    name = st.session_state.get(key)
    known = known_studies()
    if name in known:
        fill(study_from_dict(known[name]))


def _read(name: str, data: bytes) -> None:
    """Fill the form from an uploaded study."""
    try:
        study = read_study(name, data)
    except InputError as error:
        problems(error)
        return
    st.session_state[OWN] = study.to_dict()
    fill(study)
    st.rerun()


def _site(filled: Form, options: dict[str, dict[str, str]]) -> None:
    left, right = st.columns(2)
    with left:
        _text(filled, "power", t("design.site.power"), help=t("design.site.power_help"),
              placeholder=catalog_power(state.catalog(), filled.study))  # fmt: skip
        _choice(filled, "quarter", t("design.site.quarter"), options["quarter"], help=t("design.site.quarter_help"))
    with right:
        _text(
            filled, "budget", t("design.site.budget", unit=money_unit(filled.study)), help=t("design.site.budget_help")
        )
        _choice(filled, "available", t("design.site.available"), options["available"],
                help=t("design.site.available_help"))  # fmt: skip
    _words(filled, "cooling", t("design.site.cooling"), options["cooling"], help=t("design.site.cooling_help"),
           placeholder=t("design.site.cooling_any"))  # fmt: skip
    _switch(filled, "basis", t("design.site.basis"), {word: t(f"design.site.basis_{word}") for word in POWERS},
            help=t("design.site.basis_help"))  # fmt: skip


def _work(filled: Form, options: dict[str, dict[str, str]]) -> None:
    """Classes of work with their rates and promises, one a line."""
    _switch(filled, "mode", t("design.work.mode"), {word: t(f"design.work.mode_{word}") for word in MODES},
            help=t("design.work.mode_help"))  # fmt: skip
    chosen = filled.values["classes"]
    for place, word in zip(st.columns(GRID, gap="small"), ("class", RATE, *PROMISES), strict=True):
        place.caption(t(f"design.work.{word}"), help=t("design.work.promise_help") if word in PROMISES else None)
    for name in chosen:
        cells = st.columns(GRID, gap="small", vertical_alignment="center")
        cells[0].caption(plain(name), help=plain(options["classes"][name]))
        with cells[1]:
            _text(filled, f"{RATE}.{name}", f"{t('design.work.rate')} {name}", label_visibility="collapsed")
        for cell, promise in zip(cells[2:], PROMISES, strict=True):
            with cell:
                usual = catalog_promise(state.catalog(), name, promise)
                label = f"{t(f'design.work.{promise}')} {name}"
                _text(filled, f"{promise}.{name}", label, label_visibility="collapsed", placeholder=usual)
    _words(filled, "classes", t("design.work.classes"), options["classes"])
    _text(filled, "floor", t("design.work.floor"), help=t("design.work.floor_help"))


def _goal(filled: Form, options: dict[str, dict[str, str]]) -> None:
    goals = {name: phrase(words) for name, words in options["objective"].items()}
    _choice(filled, "objective", t("design.goal.objective"), goals)
    _switch(filled, "tokens", t("design.goal.tokens"), {word: t(f"design.goal.tokens_{word}") for word in TOKENS})
    with st.expander(t("design.goal.more")):
        left, right = st.columns(2)
        with left:
            _text(filled, "gap", t("design.goal.gap"), help=t("design.goal.gap_help"))
        with right:
            _text(filled, "time", t("design.goal.time"))
        key = _key("more")
        if key not in st.session_state:
            st.session_state[key] = filled.values["more"]
        filled.values["more"] = st.text_area(t("design.goal.keys"), key=key, help=t("design.goal.keys_help"), height=90)
