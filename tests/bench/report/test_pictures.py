"""Pictures."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from load_results import Side, result
from matplotlib import image
from matplotlib.figure import Figure
from pointsman_bench.report import pictures
from pointsman_bench.report.facts import facts
from pointsman_bench.report.pictures import latency_figure, mix_figure, save_pictures
from pointsman_bench.results import Counts, LoadResult, Verdict


@pytest.fixture(scope="module")
def whole() -> LoadResult:
    return result(Side("plain", hedged=False), Side("hedging"), seconds=6, rate=30, outage=True)


def test_three_pictures_are_drawn(tmp_path: Path, whole: LoadResult) -> None:
    """They are PNG files with something in them, in a folder that need not exist."""
    saved = save_pictures(facts(whole), tmp_path / "new")
    assert [file.name for file in saved] == ["latency.png", "timeline.png", "mix.png"]
    for file in saved:
        pixels = image.imread(file)
        assert pixels.shape[1] == 11 * pictures.DPI
        assert pixels[..., :3].std() > 0.01


def test_what_was_not_measured_is_not_drawn(tmp_path: Path, whole: LoadResult) -> None:
    """No empty axes."""
    nothing = replace(whole.arms[0], histograms={}, slices=(), counts=Counts())
    assert save_pictures(facts(replace(whole, arms=(nothing,), moments=())), tmp_path) == []


def test_names_are_drawn_as_they_stand(whole: LoadResult) -> None:
    """Dollars begin no formula, and letters that the font lacks cause no warning."""
    arm = whole.arms[0]
    models = {"$\\frac$ 模": 3, "$^^$": 2}
    odd = replace(arm, name="模型 $x^$", counts=replace(arm.counts, models=models))
    found = facts(replace(whole, arms=(odd,)))
    for made in (latency_figure(found), mix_figure(found)):
        assert isinstance(made, Figure)
        made.savefig(io.BytesIO())


def test_an_invalid_run_is_stamped(tmp_path: Path, whole: LoadResult) -> None:
    """A picture travels without its report: it says itself that it must not be used."""
    titles: list[str] = []

    class Remembering(Figure):
        def suptitle(self, t: str, **kwargs: object) -> object:  # type: ignore[override]
            titles.append(t)
            return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "Figure", Remembering)
        save_pictures(facts(replace(whole, verdict=Verdict(False))), tmp_path)
    assert titles == ["INVALID, do not use: mixed"] * 3
