"""What stands in the catalog but cannot be worked with: kept aside with a reason, refused with one, never a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalog_files import only, problems

from solver.catalog import Catalog, default_folder, load_catalog
from solver.parts import Accelerator
from solver.performance import predict
from solver.scenario import resolve
from solver.study import Study, study_from_dict

NOT_SERVED = {
    "vla_robot_control": "action", "vla_cloud_large": "action", "world_model_rollout": "video",
    "physical_ai_data_lake": "data",
}  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The catalog that comes with the program."""
    return load_catalog()


def study(*classes: dict[str, object], allow: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Study:
    """Return a study of some classes."""
    return study_from_dict({
        "site": {"power_mw": 1.0, "available_by": "2027-12"}, "workload": list(classes),
        "allow": list(allow), "exclude": list(exclude),
    })  # fmt: skip


CHAT = {"id": "chat_short", "requests_per_s": 1.0}


def test_classes_of_other_kinds_are_all_refused_at_once(catalog: Catalog) -> None:
    asked = study(CHAT, *({"id": name, "requests_per_s": 1.0} for name in NOT_SERVED))
    found = problems(lambda: resolve(asked, catalog))
    assert len(found) == len(NOT_SERVED)
    for name, kind in NOT_SERVED.items():
        problem = only(found, row=f"workload {name}")
        assert f"of kind {kind}" in problem.message and problem.allowed == "a class of kind tokens or shape"


@pytest.mark.parametrize(
    ("model_id", "message"),
    [("gr00t-n1-2b", "actions or frames"), ("cosmos-predict1-7b", "actions or frames"),
     ("cosmos-predict2-14b-v2w", "no figure for n_layers")],
)  # fmt: skip
def test_models_that_make_no_text_are_refused(catalog: Catalog, model_id: str, message: str) -> None:
    found = problems(lambda: resolve(study({**CHAT, "model_id": model_id}), catalog))
    assert only(found, field="model_id", value=model_id).message.count(message) == 1


def test_calibration_shapes_can_be_served(catalog: Catalog) -> None:
    asked = study({"id": "shape_8k1k", "requests_per_s": 1.0})
    assert [w.isl for w in resolve(asked, catalog).workloads] == [8192.0]


def test_parts_without_figures_stand_aside_with_a_reason_even_where_allowed(catalog: Catalog) -> None:
    wanted = ("groq3_lpx", "qualcomm_ai200_rack", "vr_nvl144_cpx")
    scenario = resolve(study(CHAT, allow=wanted), catalog)
    reasons = {item.part: item.reason for item in scenario.filtered}
    assert "bf16_dense_tflops of groq3_lp30" in reasons["groq3_lpx"] and "host_w" in reasons["groq3_lpx"]
    assert "no figure for accelerators" in reasons["qualcomm_ai200_rack"]
    assert "two kinds" in reasons["vr_nvl144_cpx"]
    assert not {platform.id for platform in scenario.platforms} & set(wanted)
    excluded = resolve(study(CHAT, exclude=wanted), catalog).filtered
    assert {item.reason for item in excluded if item.part in wanted} == {"excluded by the study"}


def test_prediction_on_a_part_without_figures_names_them(catalog: Catalog) -> None:
    found = problems(
        lambda: predict(catalog, model="llama-3.1-8b", accelerator="groq3_lp30", count=8, precision="fp8", batch=8,
                        isl=1000, osl=100, tp=8)
    )  # fmt: skip
    assert "no figure for bf16_dense_tflops, tdp_w, idle_w" in only(found, field="accelerator").message
    assert len(problems(lambda: catalog.typed(Accelerator, "groq3_lp30"))) == 3


def test_only_a_what_if_row_may_lack_figures(tmp_path: Path) -> None:
    """Without the condition, a part for sale whose watts were forgotten would silently be filtered."""
    (tmp_path / "accelerators.csv").write_text("id,buyable\ngroq3_lp30,yes\n")
    found = problems(lambda: load_catalog(default_folder(), tmp_path))
    assert {problem.field for problem in found} == {"bf16_dense_tflops", "tdp_w", "idle_w"}


def test_memory_that_nobody_sells_apart_must_be_allowed(catalog: Catalog) -> None:
    """Stacks on a package, flash without a product, a rented store: not for sale unless the study names them."""
    rows = {row.id: row["buyable"] for row in catalog.rows("memory") if row["buyable"] != "yes"}
    assert {catalog.row("memory", part)["tier"] for part in rows} == {"hbm", "gddr", "lpddr", "hbf", "object"}
    plain = resolve(study(CHAT), catalog)
    assert not {device.id for device in plain.devices} & set(rows)
    reasons = {item.part: item.reason for item in plain.filtered}
    assert "what_if" in reasons["hbf_gen1_512gb"] and "component" in reasons["hbm4_12hi_36gb_fast"]
    asked = resolve(study(CHAT, allow=("hbf_gen1_512gb",)), catalog)
    assert "hbf_gen1_512gb" in {device.id for device in asked.devices}
