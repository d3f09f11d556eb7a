"""The decoding in TFLite operators, against the decoding in torch, on heads that are given.

The heads' maps lie side by side in one map of features, so that "running" a head is to take its
channels: everywhere, or in the middle of the windows that the decoding gathers around its cells.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from movenet import goldens
from movenet.decode import Heads, decode
from movenet.engines.flatbuffer import File, Graph, Value
from movenet.export import litert_decode
from movenet.specs import GRAPH_CONSTANTS, ROWS, SPECS, TRUE_CONSTANTS, Constants

Floats = NDArray[np.float32]
Maps = dict[str, Floats]  # by the names of `Heads`, (1, h, w, C)

LOW = -8.0  # a logit of next to nothing
ATOL = 1e-5  # of the map
MODULES = {  # name of the head's module -> its field in `Heads`
    "centre": "centre_logits",
    "keypoint_regression": "keypoint_regression",
    "keypoint_heatmaps": "keypoint_logits",
    "keypoint_offsets": "keypoint_offsets",
    "box_scale": "box_scale",
    "box_offset": "box_offset",
}
ONE = {"centre_logits": 1, "keypoint_regression": 34, "keypoint_logits": 17, "keypoint_offsets": 34}
SEVERAL = ONE | {"box_scale": 2, "box_offset": 2}
STARTS = dict(zip(SEVERAL, np.cumsum([0, *SEVERAL.values()]).tolist(), strict=False))
MIDDLE = 4  # of a window's nine cells


@dataclass
class GivenHeads:
    """Stands in for `Layers`: every head is some channels of the features."""

    graph: Graph
    constants: Constants = TRUE_CONSTANTS

    @property
    def model(self) -> SimpleNamespace:
        return SimpleNamespace(constants=self.constants)

    def head(self, name: str, x: Value) -> Value:
        _, h, w, c = x.shape
        return self.output(name, x.reshape(h * w, c)).reshape(1, h, w, -1)

    def hidden_at(self, name: str, windows: Value) -> Value:
        m, _, c = windows.shape
        return windows.reshape(m, 9 * c).columns(*range(MIDDLE * c, (MIDDLE + 1) * c))

    def output(self, name: str, hidden: Value, channels: slice = slice(None)) -> Value:
        field = MODULES[name]
        own = range(STARTS[field], STARTS[field] + SEVERAL[field])
        return hidden.columns(*own[channels])


def compiled(
    build: Callable[[Graph, Value], Value], shape: tuple[int, ...], dtype: str = "float32"
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A graph of one input and one output, as a function of arrays."""
    file = File()
    graph = Graph(file)
    graph.finish("test", {"output": build(graph, graph.input("input", shape, dtype))})
    interpreter = Interpreter(model_content=file.packed(), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]

    def run(array: NDArray[Any]) -> NDArray[Any]:
        interpreter.set_tensor(source, array)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return run


@lru_cache
def decoder(
    h: int, w: int, several: bool, constants: Constants = TRUE_CONSTANTS
) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The decoding of maps of that size, as a function of the features."""
    decode_in_graph = litert_decode.several_people if several else litert_decode.one_person
    return compiled(
        lambda graph, x: decode_in_graph(GivenHeads(graph, constants), x),  # type: ignore[arg-type]
        (1, h, w, sum((SEVERAL if several else ONE).values())),
    )


def in_litert(maps: Maps, constants: Constants = TRUE_CONSTANTS) -> Floats:
    several = "box_scale" in maps
    _, h, w, _ = maps["centre_logits"].shape
    features = np.concatenate([maps[name] for name in (SEVERAL if several else ONE)], 3)
    return decoder(h, w, several, constants)(features)


def in_torch(maps: Maps, constants: Constants = TRUE_CONSTANTS) -> Floats:
    heads = Heads(**{k: torch.from_numpy(v).permute(0, 3, 1, 2) for k, v in maps.items()})
    return decode(heads, constants).numpy()


def same(maps: Maps, constants: Constants = TRUE_CONSTANTS) -> Floats:
    """Google's tensor of maps, after seeing that both decodings agree on it."""
    found = in_litert(maps, constants)
    np.testing.assert_allclose(found, in_torch(maps, constants), rtol=0, atol=ATOL)
    return found


def nobody(h: int = 16, w: int = 16, *, several: bool = False) -> Maps:
    """Heads that see nobody anywhere; tests set what they need in place."""
    widths = SEVERAL if several else ONE
    return {
        name: np.full((1, h, w, width), LOW if name.endswith("logits") else 0, np.float32)
        for name, width in widths.items()
    }


def crowd(h: int, w: int, seed: int, *, several: bool) -> Maps:
    """Heads of nothing but noise: logits and cells of the size that the networks give."""
    random = np.random.default_rng(seed)
    maps = {
        name: random.normal(0, 4, array.shape).astype(np.float32)
        for name, array in nobody(h, w, several=several).items()
    }
    if several:
        maps["box_scale"] = np.abs(maps["box_scale"]) * 4
    return maps


@pytest.mark.parametrize("kind", goldens.FED_HEADS)
@pytest.mark.parametrize("name", SPECS)
def test_heads_of_the_goldens_are_decoded_as_in_torch(name: str, kind: str) -> None:
    same(goldens.fed_heads(SPECS[name], kind))


@pytest.mark.parametrize("kind", goldens.FED_HEADS)
@pytest.mark.parametrize("spec", ROWS, ids=lambda row: row.name)
def test_cut_to_maps_that_are_not_square_they_are_too(spec: Any, kind: str) -> None:
    for h, w in ((48, 24), (32, 48)):
        whole = goldens.fed_heads(spec, kind)
        same({name: np.ascontiguousarray(array[:, :h, :w]) for name, array in whole.items()})


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(16, 16), (24, 16), (16, 40)]), st.booleans())
def test_any_heads_are_decoded_as_in_torch(seed: int, size: tuple[int, int], several: bool) -> None:
    same(crowd(*size, seed, several=several))


OWN = Constants(  # each far from the true one
    distance_bias=6.0, peak_tolerance=0.1, gaussian_width=0.6, keypoint_threshold=0.5
)


@pytest.mark.parametrize("constants", [OWN, GRAPH_CONSTANTS], ids=["own", "Google's float16"])
@pytest.mark.parametrize("several", [False, True])
def test_the_network_s_own_constants_are_used(several: bool, constants: Constants) -> None:
    for seed in range(8):
        maps = crowd(24, 16, seed, several=several)
        assert not np.array_equal(same(maps, constants), in_litert(maps))


def test_every_cell_of_a_map_is_found() -> None:
    """17 keypoints a picture visit the 512 cells of a map that is not square."""
    h, w = 32, 16
    for start in range(0, h * w, 17):
        cells = np.arange(start, start + 17) % (h * w)
        maps = nobody(h, w)
        maps["keypoint_logits"][0, cells // w, cells % w, np.arange(17)] = 20
        found = in_litert(maps)[0, 0]
        np.testing.assert_allclose(found[:, 0] * h, cells // w, atol=1e-5)
        np.testing.assert_allclose(found[:, 1] * w, cells % w, atol=1e-5)


def test_each_keypoint_has_an_offset_of_its_own() -> None:
    maps = nobody(16, 32)
    own = np.arange(17) / 64
    maps["keypoint_logits"][0, 3, 20] = 20
    maps["keypoint_offsets"][0, 3, 20, 0::2] = own
    maps["keypoint_offsets"][0, 3, 20, 1::2] = -own
    found = in_litert(maps)[0, 0]
    np.testing.assert_allclose(found[:, 0] * 16, 3 + own, atol=1e-5)
    np.testing.assert_allclose(found[:, 1] * 32, 20 - own, atol=1e-5)


def test_the_first_of_equal_keypoints_wins() -> None:
    maps = nobody()
    maps["centre_logits"][0, 8, 8] = 4
    for y, x in ((7, 8), (8, 7), (8, 9), (9, 8)):  # all one cell from the regressed (8, 8)
        maps["keypoint_logits"][0, y, x] = 3
    np.testing.assert_array_equal(same(maps)[0, 0, :, :2] * 16, [[7, 8]] * 17)


def test_of_equal_keypoints_in_a_row_the_first_column_wins() -> None:
    maps = nobody()
    maps["centre_logits"][0, 8, 8] = 4
    maps["keypoint_logits"][0, 8, [5, 11]] = 3
    np.testing.assert_array_equal(same(maps)[0, 0, :, :2] * 16, [[8, 5]] * 17)


def test_the_first_of_equal_centres_wins() -> None:
    maps = nobody()
    for y, x in ((8, 6), (8, 10), (6, 8), (10, 8)):  # all two cells from the middle
        maps["centre_logits"][0, y, x] = 4
        maps["keypoint_regression"][0, y, x, 0::2] = -y  # at row 0
    maps["keypoint_logits"][0, 0, [6, 8, 10]] = 3
    np.testing.assert_array_equal(same(maps)[0, 0, :, 1] * 16, [8] * 17)  # (6, 8) comes first


def test_saturated_sigmoids_tie_and_the_cell_nearest_the_middle_wins() -> None:
    maps = nobody(24, 16)
    maps["centre_logits"][:] = maps["keypoint_logits"][:] = 1000
    np.testing.assert_array_equal(same(maps)[0, 0], [[0.5, 0.5, 1]] * 17)


def person(maps: Maps, row: int, column: int, logit: float = 4.0, side: float = 100) -> Maps:
    """Put a centre into maps, in a box of that side."""
    maps["centre_logits"][0, row, column] = logit
    maps["box_scale"][0, row, column] = side
    return maps


def centres(found: Floats, h: int = 16, w: int = 16) -> list[tuple[int, int]]:
    """Centre cells, read from boxes without extent."""
    return [(round(y), round(x)) for y, x in (found[0, :, 51:53] * [h, w]).tolist()]


def test_people_come_by_falling_centre_score_and_the_first_of_equals_first() -> None:
    maps = nobody(several=True)
    for (y, x), logit in {(1, 1): 2.0, (1, 12): 3.0, (8, 5): 2.0, (12, 12): 1.0}.items():
        person(maps, y, x, logit, side=0)
    assert centres(same(maps))[:4] == [(1, 12), (1, 1), (8, 5), (12, 12)]


def test_where_fewer_than_six_are_seen_the_first_empty_cells_fill_up() -> None:
    maps = nobody(several=True)
    maps["centre_logits"][0, :, :, 0] = np.arange(256).reshape(16, 16) / 256 + LOW
    assert centres(same(maps)) == [(15, 15), (0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]


def test_of_a_flat_map_of_centres_the_first_six_cells_are_taken() -> None:
    assert centres(same(nobody(several=True))) == [(0, column) for column in range(6)]


def test_the_first_of_equal_keypoints_of_several_people_wins() -> None:
    maps = person(nobody(several=True), 8, 8)
    for y, x in ((7, 8), (8, 7), (8, 9), (9, 8)):
        maps["keypoint_logits"][0, y, x] = 3
    found = same(maps)[0, 0, :51].reshape(17, 3)
    np.testing.assert_array_equal(found[:, :2] * 16, [[7, 8]] * 17)


WIDTH = 16 * TRUE_CONSTANTS.gaussian_width  # of the Gaussian over a map of 16 x 16


@pytest.mark.parametrize(
    ("up", "right", "alive"),
    [
        (20, 0, True),  # exp(-20^2 / WIDTH) is 6e-37, a normal number
        (21, 0, False),  # 1e-40, which TensorFlow takes for 0
        (15, 14, False),  # 6e-39: neither the row's factor nor the column's is small
        (100, 0, False),  # 0 in any arithmetic
    ],
)
def test_where_a_gaussian_underflows_everywhere_the_first_cell_wins(
    up: int, right: int, alive: bool
) -> None:
    maps = person(nobody(several=True), 8, 8)
    maps["keypoint_logits"][:] = 20
    maps["keypoint_regression"][0, 8, 8, 0::2] = -up - 8  # over the map, so that row 0 is nearest
    maps["keypoint_regression"][0, 8, 8, 1::2] = 15 + right - 8
    found = in_litert(maps)[0, 0, :51].reshape(17, 3)
    y, x, score = found.T
    assert (y == 0).all()
    assert (x == (15 / 16 if alive else 0)).all()
    assert ((score > 0) == alive).all()
    np.testing.assert_allclose(found, in_torch(maps)[0, 0, :51].reshape(17, 3), atol=ATOL)


def test_whom_nothing_is_near_shows_what_another_has_in_the_first_cell() -> None:
    maps = person(person(nobody(several=True), 2, 2), 12, 12, logit=3)
    maps["keypoint_logits"][0, 0, 0] = 4
    maps["keypoint_regression"][0, 12, 12] = 500
    first, second = same(maps)[0, :2, :51].reshape(2, 17, 3)
    np.testing.assert_array_equal(second, first)
    assert (second[:, 2] > 0.1).all()


def test_a_box_holds_its_top_and_left_edge_and_not_the_others() -> None:
    maps = person(nobody(several=True), 4, 4, side=8)
    maps["box_offset"][0, 4, 4] = 1  # now 1..9
    maps["keypoint_logits"][0, 1, 1, 0] = maps["keypoint_logits"][0, 9, 9, 1] = 9
    found = same(maps)[0, 0, :6].reshape(2, 3)
    np.testing.assert_array_equal(found[0, :2] * 16, [1, 1])
    assert (found[1, :2] * 16 < 9).all()


def test_boxes_end_at_the_map_and_scores_do_not_count_below_the_threshold() -> None:
    maps = person(nobody(24, 16, several=True), 8, 8, side=30)
    maps["keypoint_logits"][0, 8, 8, :4] = 3
    found = same(maps)[0, 0]
    np.testing.assert_allclose(found[51:55], [0, 0, 23 / 24, 1], atol=1e-6)
    centre, keypoint = 1 / (1 + np.exp([-4.0, -3.0]))
    assert found[55] == pytest.approx(centre * keypoint, abs=1e-6)  # the mean of four


@pytest.mark.parametrize("cell", [(0, 0), (0, 6), (4, 0), (4, 6), (2, 3)])
def test_a_window_is_a_cell_and_its_neighbours_with_zeros_outside(cell: tuple[int, int]) -> None:
    h, w, c = 5, 7, 2
    row, column = cell

    def around(graph: Graph, x: Value) -> Value:
        number = graph.constant(np.array([row * w + column], np.int32))
        return litert_decode.windows(litert_decode.padded(x), number, w)

    features = np.arange(1, h * w * c + 1, dtype=np.float32).reshape(1, h, w, c)
    wanted = np.pad(features[0], ((1, 1), (1, 1), (0, 0)))[row : row + 3, column : column + 3]
    np.testing.assert_array_equal(
        compiled(around, features.shape)(features), wanted.reshape(1, 9, c)
    )


def test_cells_are_numbered_row_by_row() -> None:
    cells = np.arange(35, dtype=np.int32)
    found = compiled(lambda _, x: litert_decode.corners(x, 7), (35,), "int32")(cells)
    np.testing.assert_array_equal(found, np.argwhere(np.ones((5, 7))))
