"""What the solver writes is said in the reader's language, and what nobody translated stands as it is."""

from __future__ import annotations

import re

import pytest
from explained import ATTRIBUTES, BOTTLENECKS, LADDER, LEVERS, SITES, infeasible

from solver.charts import flows
from solver.clashing.limits import FLOOR, RESOURCE, Limit
from solver.clashing.promises import Promise
from solver.clashing.relax import Relaxation
from solver.clashing.words import clash_line, class_lines, joint_line, loosened_lines, single_line
from solver.enumeration.account import UNITS as REASONS
from solver.explaining.hardware import HARDWARE
from solver.explaining.levers import LEVERS as LEVER_KINDS
from solver.explaining.limits import TIER_ROWS, USED_ROWS
from solver.kpis import KPIS
from solver.model.objectives import OBJECTIVES
from solver.resources import RESOURCES
from solver.ui.korean import with_particles
from solver.ui.phrases import translated
from solver.whatif.memory import out_of_memory
from solver.whatif.pool import why_died

HANGUL = re.compile("[가-힣]")
POWER = Limit("site.power_mw", "provisioned power at the utility meter", "MW", 0.5, RESOURCE, "power")
SHARE = Limit("demand.floor_frac", "scale of the mix to be served", "", 1.0, FLOOR, looser=-1, most=0.0)
NAMES = {
    "key figures": [kpi.name for kpi in KPIS.values()],
    "what they count": [kpi.basis for kpi in KPIS.values()],
    "objectives": [objective.name for objective in OBJECTIVES.values()],
    "limits": [item.name for item in RESOURCES.values()] + [name for _, name in USED_ROWS.values()],
    "tiers": [f"hbm: {name}" for *_, name in TIER_ROWS.values()],
    "hardware": [item.name for item in HARDWARE.values()],
    "levers": [item.name for item in LEVER_KINDS.values()],
    "reasons": list(REASONS),
    "records": [str(r["name"]) for r in (*BOTTLENECKS, *ATTRIBUTES, *LEVERS["levers"][1:], *SITES["architectures"])]
    + [str(r["bottleneck_name"]) for r in LADDER["rungs"] if r["bottleneck_name"]],
    "flows": [flows.METER, flows.COOLING, flows.NETWORK, flows.FIXED, flows.HOST, flows.MEMORY, flows.IDLE, flows.FREE,
              flows.CAPITAL, flows.YEARLY, flows.NO_VENDOR, flows.WEIGHTS, flows.ACTIVE, flows.PARKED,
              flows.tokens_of("chat"), *flows.KINDS.values()],
    "ends of workers": [why_died(code, 4.0) for code in (-9, -6, -11, 1)] + [out_of_memory(4.0)],
    "a study without a build": [
        clash_line(("site.power_mw", "demand.floor_frac"), (POWER, SHARE), known=True),
        clash_line(("site.power_mw",), (POWER,), known=False),
        single_line(Relaxation(POWER, True, 0.7, 0.7)),
        single_line(Relaxation(POWER, True, 0.9, 0.7)),
        single_line(Relaxation(SHARE, True, 0.8, 0.8)),
        joint_line((Relaxation(POWER, None, 0.7),), kept=True),
        *class_lines(
            [Promise("chat", "decode", "tpot", 0.01, 0.03, 0.03, 0.03, where="h200", enough_alone=True)],
            {"chat": ["decode"], "agent": ["prefill", "decode"]}, {"agent": "no accelerator runs it"},
        ),
        *loosened_lines([Promise("chat", "", "ttft", 2.0, None, 3.1, 3.0, enough_alone=True)]),
        *infeasible().explanation,
    ],
}  # fmt: skip
"""What is written -> texts of it, from where they are made."""


@pytest.mark.parametrize("kind", list(NAMES))
def test_what_the_solver_writes_is_translated(kind: str) -> None:
    assert NAMES[kind]
    left = [text for text in NAMES[kind] if not HANGUL.search(translated(text, "ko"))]
    assert not left
    assert [translated(text, "en") for text in NAMES[kind]] == NAMES[kind]


def test_numbers_and_names_are_put_in() -> None:
    assert translated("supply of 8-way server", "ko") == "8-way server 공급량"
    assert translated("site.power_mw: 0.7 MW needed, 0.5 MW allowed", "ko") == "site.power_mw: 0.7 MW 필요, 0.5 MW 허용"
    assert translated("what more TTFT of chat is worth", "ko") == "chat의 TTFT를 늘릴 때의 가치".replace("를", "을(를)")
    assert (
        translated("output tokens/s over the contracted MW at the meter", "ko")
        == "초당 출력 토큰을 수전점 계약 MW로 나눈 값"
    )


def test_a_name_within_a_sentence_may_begin_small() -> None:
    assert translated("floor with aisles", "ko") == translated("Floor with aisles", "ko") != "floor with aisles"


def test_what_nobody_translated_stands_as_it_is() -> None:
    for text in ("", "HGX H200 8-GPU", "a sentence of somebody's own", "hall: 5"):
        assert translated(text, "ko") == text


def test_the_more_telling_template_wins() -> None:
    """A general template fits what a special one fits too."""
    assert "가장 빠른 후보" in translated("TTFT 2 s, the fastest candidate needs 3 s on h200 (3 s can be kept)", "ko")


@pytest.mark.parametrize(
    ("written", "read"),
    [("토큰을(를)", "토큰을"), ("초을(를)", "초를"), ("부품이(가)", "부품이"), ("1이(가)", "1이"), ("2은(는)", "2는"),
     ("서울(으)로", "서울로"), ("부산(으)로", "부산으로"), ("MW을(를)", "MW을(를)"), ("(가격)을(를)", "(가격)을"),
     ("7(으)로", "7로")],
)  # fmt: skip
def test_particles_follow_the_word_before_them(written: str, read: str) -> None:
    assert with_particles(written) == read


def test_charts_say_everything_in_the_words_that_are_passed() -> None:
    """Every English text of a chart's own is passed through what says it: a chart said in capitals has no other."""
    from solver.charts import comparisons, figures

    def loud(words: str) -> str:
        return f"«{words}»"

    drawn = figures.waterfall(LEVERS, loud)
    assert drawn is not None and all("«" in name and "»" in name for name in drawn.data[0].x)
    drawn = figures.bottlenecks(BOTTLENECKS, "tokens/s", loud)
    assert drawn is not None and all("«" in name for name in drawn.data[0].y)
    assert drawn.layout.xaxis.title.text == "«tokens/s for one per cent more»"
    drawn = figures.ladder(LADDER, "tokens/s", loud)
    assert drawn is not None and all("«" in name for name in drawn.layout.xaxis.ticktext)
    assert "«tightest then»" in drawn.data[0].hovertext[0]
    drawn = comparisons.price_line(3.0, 2.0, 4.0, 5.0, loud)
    assert drawn is not None and {trace.name for trace in drawn.data if trace.name} == {
        "«quoted»", "«in the catalog»", "«worth it up to»", "«not worth it above»",
    }  # fmt: skip
    plain = figures.waterfall(LEVERS)
    assert plain is not None and plain.data[0].x[0] == "plain build"


def test_wide_letters_are_counted_twice_where_lines_are_broken() -> None:
    from solver.charts.labels import wrapped

    assert wrapped("가나다 라마바 사아자", 14) == "가나다 라마바<br>사아자"
    assert wrapped("abc def ghi", 14) == "abc def ghi" and wrapped("<b>", 5) == "&lt;b&gt;"
