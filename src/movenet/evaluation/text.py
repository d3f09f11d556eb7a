"""Figures as lines for people."""

import numpy as np

from movenet.evaluation.matching import Figure
from movenet.evaluation.pairs import PCK, Pairs
from movenet.evaluation.prediction import Recipe
from movenet.keypoints import NAMES


def header(recipe: Recipe, pictures: int, people: int) -> str:
    """What is evaluated, and on what."""
    looks = f", found by {recipe.finder}" if recipe.finder else ""
    looks += f", refined by {recipe.refine}" if recipe.refine else ", one look"
    looks += f", {recipe.quality}" if recipe.quality != "balanced" else ""
    file = f", {recipe.engine[:40]}" if "SHA-256" in recipe.engine else ""
    return (
        f"{recipe.protocol}: {recipe.model}{looks}, {recipe.runtime}{file}; {pictures} pictures, "
        f"{people} people with keypoints"
    )


def figure_lines(figures: dict[str, Figure], *, sign: bool = False) -> list[str]:
    """A line a measure, in per cent."""
    form = "{:+6.1f}" if sign else "{:6.1f}"
    return [
        f"{name:<5}{form.format(one.value)}  "
        f"({form.format(one.low).strip()} to {form.format(one.high).strip()})"
        if np.isfinite(one.value)
        else f"{name:<5}     -  nobody of that size"
        for name, one in figures.items()
    ]


def keypoint_lines(pairs: Pairs) -> list[str]:
    """A line a keypoint, and one of all."""
    pck, px = pairs.pck(), pairs.pixels()
    head = f"{'keypoint':<16}{'labelled':>9}{f'PCK@{PCK}':>9}{'mean px':>9}"
    rows = [
        f"{name:<16}{count:>9}{part:>9.1f}{distance:>9.1f}"
        for name, count, part, distance in zip(NAMES, pairs.labelled.sum(0), pck, px, strict=True)
    ]
    distances = pairs.distances[np.isfinite(pairs.distances)]
    mean = distances.mean() if len(distances) else np.nan
    total = f"{'all':<16}{pairs.labelled.sum():>9}{pairs.all_pck():>9.1f}{mean:>9.1f}"
    return [head, *rows, total]
