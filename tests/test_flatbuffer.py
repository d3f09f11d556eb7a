"""TFLite files written operator by operator, run by LiteRT, against NumPy."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from movenet.engines.flatbuffer import File, Graph, Scale, Value

Array = NDArray[Any]


def computed(build: Callable[..., Value | Sequence[Value]], *inputs: Array) -> list[Array]:
    """What LiteRT computes of arrays, in a graph that `build` makes of values for them."""
    file = File()
    graph = Graph(file)
    names = [f"input{i}" for i in range(len(inputs))]
    values = [
        graph.input(n, array.shape, array.dtype.name)
        for n, array in zip(names, inputs, strict=True)
    ]
    made = build(*values)
    outputs = [made] if isinstance(made, Value) else list(made)
    graph.finish("test", {f"output{i}": value for i, value in enumerate(outputs)})
    found = run(file.packed(), "test", dict(zip(names, inputs, strict=True)))
    results = [found[f"output{i}"] for i in range(len(outputs))]
    for value, result in zip(outputs, results, strict=True):  # what a Value says is what comes out
        assert (value.shape, value.dtype) == (result.shape, result.dtype.name)
    return results


def run(data: bytes, signature: str, inputs: dict[str, Array]) -> dict[str, Array]:
    found: dict[str, Array] = Interpreter(model_content=data).get_signature_runner(signature)(
        **inputs
    )
    return found


def numbers(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Made-up numbers of both signs."""
    return np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32)


PAIRS: dict[str, tuple[Callable[[Value, Any], Value], Callable[[Array, Any], Array]]] = {
    "+": (lambda x, y: x + y, np.add),
    "-": (lambda x, y: x - y, np.subtract),
    "*": (lambda x, y: x * y, np.multiply),
    "/": (lambda x, y: x / y, np.divide),
    "//": (lambda x, y: x // y, np.floor_divide),
    "minimum": (Value.minimum, np.minimum),
    "maximum": (Value.maximum, np.maximum),
    "squared_difference": (Value.squared_difference, lambda x, y: (x - y) ** 2),
    "less": (Value.less, np.less),
    "less_equal": (Value.less_equal, np.less_equal),
    "greater": (Value.greater, np.greater),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("shape", [(2, 3, 4), (4,), (3, 1), (2, 1, 4), (1,)])
def test_two_values_are_combined_and_broadcast_as_in_numpy(
    name: str, shape: tuple[int, ...]
) -> None:
    in_graph, in_numpy = PAIRS[name]
    x, y = numbers(2, 3, 4), numbers(*shape, seed=1)
    y.reshape(-1)[0] = x.reshape(-1)[0]  # where < and <= differ
    for one, other in ((x, y), (y, x)):
        (found,) = computed(in_graph, one, other)
        assert_allclose(found, in_numpy(one, other), rtol=1e-6)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    "other", [2, 0.5, np.arange(1, 5), np.arange(12.0).reshape(3, 4) + 1], ids=np.shape
)
def test_numbers_beside_a_value_are_constants_of_its_type(name: str, other: Any) -> None:
    in_graph, in_numpy = PAIRS[name]
    x = numbers(2, 3, 4)
    (found,) = computed(lambda value: in_graph(value, other), x)
    wanted = in_numpy(x, np.asarray(other, np.float32))
    assert found.dtype == wanted.dtype
    assert_allclose(found, wanted, rtol=1e-6)


def test_whole_numbers_stay_whole_to_the_last_one() -> None:
    cells = np.array([-1, 0, 1, 47, 48, 2303, 2**24 + 1], np.int32)  # float32 ends at 2^24
    found = computed(lambda x: [x + 1, x - 1, x * 2, x // 48, x - x // 48 * 48], cells)
    for result, wanted in zip(
        found, [cells + 1, cells - 1, cells * 2, cells // 48, cells % 48], strict=True
    ):
        assert_array_equal(result, wanted)


def test_both_of_two_comparisons() -> None:
    x = np.arange(6, dtype=np.float32)
    (found,) = computed(lambda value: value.greater(1) & value.less_equal(4), x)
    assert_array_equal(found, (x > 1) & (x <= 4))


@pytest.mark.parametrize(
    ("operator", "in_numpy"),
    [
        ("LOGISTIC", lambda x: 1 / (1 + np.exp(-x))),
        ("SQRT", np.sqrt),
        ("EXP", np.exp),
        ("ABS", np.abs),
        ("LOG", np.log),
        ("RSQRT", lambda x: 1 / np.sqrt(x)),
    ],
)
def test_an_operator_on_each_number(operator: str, in_numpy: Callable[[Array], Array]) -> None:
    x = np.abs(numbers(3, 5))
    (found,) = computed(lambda value: value.unary(operator), x)
    assert_allclose(found, in_numpy(x), rtol=1e-6)


@pytest.mark.parametrize("target", ["float32", "int32", "uint8", "bool"])
@pytest.mark.parametrize("source", ["float32", "int32", "uint8", "bool"])
def test_a_cast_keeps_the_numbers(source: str, target: str) -> None:
    x = np.array([0, 1, 7, 200]).astype(source)
    (found,) = computed(lambda value: value.cast(target), x)
    assert_array_equal(found, x.astype(target))


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [((4, 6), (4, 6)), ((-1,), (24,)), ((3, -1), (3, 8)), ((2, -1, 2), (2, 6, 2)), ((24, 1), None)],
)
def test_a_reshape_works_out_the_side_that_is_left(
    shape: tuple[int, ...], wanted: tuple[int, ...] | None
) -> None:
    x = numbers(2, 3, 4)
    (found,) = computed(lambda value: value.reshape(*shape), x)
    assert_array_equal(found, x.reshape(wanted or shape))


def test_rows_are_as_many_as_a_resized_input_has() -> None:
    file = File()
    graph = Graph(file)
    value = graph.input("input0", (1, 4, 6), "float32")
    rows = value.rows(3, 2) + 1.0
    assert rows.shape == (4, 3, 2)
    graph.finish("test", {"output0": rows})
    interpreter = Interpreter(model_content=file.packed())
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    for count in (1, 3):
        x = numbers(count, 4, 6)
        interpreter.resize_tensor_input(given["index"], x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], x)
        interpreter.invoke()
        assert_array_equal(interpreter.get_tensor(made["index"]), x.reshape(-1, 3, 2) + 1)


@pytest.mark.parametrize("shape", [(3, 4), (4,), (3, 1)])
def test_of_two_numbers_the_one_that_is_wanted(shape: tuple[int, ...]) -> None:
    x, y = numbers(3, 4), numbers(3, 4, seed=1)
    there = numbers(*shape, seed=2) > 0
    x[0, 0] = y[1, 1] = np.nan  # what is not taken makes no difference
    found, known = computed(
        lambda one, other, chosen: [
            one.where(chosen.greater(0.0), other),
            one.where(chosen.greater(0.0), 7.0),
        ],
        x, y, there.astype(np.float32),
    )  # fmt: skip
    assert_array_equal(found, np.where(there, x, y))
    assert_array_equal(known, np.where(there, x, 7))


@pytest.mark.parametrize("axes", [(1, 0, 2), (2, 0, 1), (0, 2, 1)])
def test_a_transpose_changes_the_order_of_the_axes(axes: tuple[int, ...]) -> None:
    x = numbers(2, 3, 4)
    (found,) = computed(lambda value: value.transpose(*axes), x)
    assert_array_equal(found, x.transpose(axes))


def test_padding_is_zeros_before_and_after_each_axis() -> None:
    x, amounts = numbers(1, 3, 4, 2), ((0, 0), (1, 2), (3, 0), (0, 1))
    (found,) = computed(lambda value: value.pad(*amounts), x)
    assert_array_equal(found, np.pad(x, amounts))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (1,)])
def test_slices_are_gathered_along_an_axis(axis: int, shape: tuple[int, ...]) -> None:
    x = numbers(4, 5, 2)
    indices = np.random.default_rng(2).integers(0, 4, shape).astype(np.int32)
    (found,) = computed(lambda value, number: value.gather(number, axis), x, indices)
    assert_array_equal(found, np.take(x, indices, axis))


def test_columns_of_a_table_come_in_the_order_asked_for() -> None:
    x = numbers(3, 5)
    (found,) = computed(lambda value: value.columns(4, 0, 0), x)
    assert_array_equal(found, x[:, [4, 0, 0]])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(arrays(np.float32, (3, 37), elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0])))
def test_of_equal_largest_numbers_argmax_takes_the_first(x: Array) -> None:
    (found,) = computed(Value.argmax, x)
    assert_array_equal(found, x.argmax(-1))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_the_largest_the_smallest_the_sum_and_the_mean_along_an_axis(axis: int) -> None:
    x = numbers(2, 3, 4)
    largest, smallest, total, mean = computed(
        lambda value: [value.amax(axis), value.amin(axis), value.sum(axis), value.mean(axis)], x
    )
    assert_array_equal(largest, x.max(axis))
    assert_array_equal(smallest, x.min(axis))
    assert_allclose(total, x.sum(axis), rtol=1e-5)
    assert_allclose(mean, x.mean(axis), rtol=1e-5)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(arrays(np.float32, 50, elements=st.sampled_from([0.0, 0.0, 0.0, 0.25, 0.5])))
def test_the_highest_fall_and_equal_ones_come_by_number(x: Array) -> None:
    """Zeros are normal here: six are asked for where fewer peaks are left."""
    values, places = computed(lambda value: value.graph.highest(value, 6), x)
    wanted = np.argsort(-x, kind="stable")[:6]
    assert_array_equal(places, wanted)
    assert_array_equal(values, x[wanted])


@pytest.mark.parametrize("axis", [0, 1])
def test_values_are_put_one_after_the_other(axis: int) -> None:
    x, y = numbers(2, 3), numbers(2, 3, seed=1)
    (found,) = computed(lambda a, b: a.graph.concatenate([a, b, a], axis), x, y)
    assert_array_equal(found, np.concatenate([x, y, x], axis))


# Files: what is in them, as flatbuffers' own reader has it.


def several(count: int, weight: Array, *, narrow: bool = True) -> bytes:
    """A file of `count` graphs: x * weight + weight, and the graph's number besides."""
    file = File()
    for index in range(count):
        graph = Graph(file)
        x = graph.input("x", (index + 1, *weight.shape), "float32")
        scale, shift = (graph.weight(weight, narrow=narrow) for _ in range(2))
        graph.finish(f"g{index}", {"y": x * scale + shift + index})
    return file.packed()


def test_each_graph_is_a_signature_that_computes() -> None:
    weight = numbers(5)
    data = several(3, weight)
    for index in range(3):
        x = numbers(index + 1, 5, seed=index)
        found = run(data, f"g{index}", {"x": x})
        assert list(found) == ["y"]
        assert_allclose(found["y"], x * weight + weight + index, rtol=1e-6)


def test_the_same_calls_give_the_same_bytes() -> None:
    weight = numbers(40)
    assert several(2, weight) == several(2, weight.copy())


def test_graphs_share_their_constants() -> None:
    weight = numbers(10_000)
    one, three = (len(several(count, weight)) for count in (1, 3))
    assert one < weight.nbytes + 2000
    assert three - one < 2000


def test_a_graph_has_equal_constants_once_whatever_their_memory_is() -> None:
    graph = Graph(File())
    x = numbers(3, 4)
    assert graph.constant(x) is graph.constant(x.T.copy().T)
    assert graph.constant(x) is not graph.constant(x.reshape(4, 3))
    assert graph.constant(x) is not graph.constant(x.view(np.int32))
    assert graph.constant(x) is not graph.constant(x, Scale(np.array(1.0)))


def test_a_constant_of_strange_memory_is_stored_in_order() -> None:
    x = numbers(3, 4)
    for strange in (x.T, x[:, ::-1], np.broadcast_to(x[0], (5, 4))):
        (found,) = computed(
            lambda value, strange=strange: value + value.graph.constant(strange),
            np.zeros(strange.shape, np.float32),
        )
        assert_array_equal(found, strange)


def test_a_scalar_stays_one() -> None:
    assert Graph(File()).constant(np.array(3, np.int32)).shape == ()


HALVES = numbers(1000).astype(np.float16).astype(np.float32)


@pytest.mark.parametrize(
    ("weight", "narrow", "bytes_each"),
    [
        (HALVES, True, 2),
        (HALVES, False, 4),
        (HALVES + np.float32(1e-6), True, 4),  # not float16 numbers: nothing is lost for size
        (np.append(HALVES[1:], np.float32(1e5)), True, 4),  # over float16's largest
    ],
    ids=["exact", "not asked for", "between", "too large"],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_weights_are_stored_as_float16_only_where_that_loses_nothing(
    weight: Array, narrow: bool, bytes_each: int
) -> None:
    data = several(1, weight, narrow=narrow)
    assert 0 <= len(data) - bytes_each * len(weight) < 2000
    found = run(data, "g0", {"x": np.zeros((1, len(weight)), np.float32)})["y"]
    assert_array_equal(found[0], weight)


def buffers(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Where each buffer's bytes begin, and what they are."""
    model = schema.Model.GetRootAs(data)
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength():
            field = buffer._tab.Offset(4)
            yield buffer._tab.Vector(field), buffer.DataAsNumpy().tobytes()


@pytest.mark.parametrize("length", [1, 7, 16, 33, 1000])
def test_buffers_begin_at_multiples_of_16_bytes(length: int) -> None:
    file = File()
    graph = Graph(file)
    x = graph.input("x", (length,), "float32")
    graph.finish("test", {"y": x + numbers(length) * numbers(1, seed=3)})
    file.describe("made up", {"note": b"odd" * length, "other": b"x"})
    found = list(buffers(file.packed()))
    assert len(found) == 3
    assert all(place % 16 == 0 for place, _ in found)


def test_a_file_says_what_it_is() -> None:
    file = File()
    graph = Graph(file)
    graph.finish("test", {"y": graph.input("x", (1,), "float32") + 1})
    file.describe("made up", {"note": b"\x00\xff", "other": b"x"})
    data = file.packed()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data))
    assert data[4:8] == b"TFL3"
    assert (model.version, model.description) == (3, b"made up")
    said = {entry.name: bytes(model.buffers[entry.buffer].data) for entry in model.metadata}
    assert said == {b"note": b"\x00\xff", b"other": b"x"}
    assert model.buffers[0].data is None  # number 0 is the empty one, by TFLite's rule


def test_operators_are_listed_once_by_name_and_version() -> None:
    codes = schema.ModelT.InitFromObj(schema.Model.GetRootAs(several(2, HALVES))).operatorCodes
    wanted = {("DEQUANTIZE", 3), ("MUL", 1), ("ADD", 1)}
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    assert {(names[code.builtinCode], code.version) for code in codes} == wanted
    assert len(codes) == len(wanted)
    assert all(code.deprecatedBuiltinCode == code.builtinCode for code in codes)


@pytest.mark.parametrize("zero", [0, -100])
def test_integers_stand_for_numbers_by_their_scale(zero: int) -> None:
    scale = Scale(np.array(0.25), zero)
    integers = np.array([-100, 0, 27], np.int8)
    file = File()
    graph = Graph(file)
    x = graph.input("x", (3,), "int8", scale)
    weight = graph.constant(integers, scale)
    wide, constant = (graph("DEQUANTIZE", [value], (3,)) for value in (x, weight))
    graph.finish("test", {"x": wide * 1, "sum": wide + constant})
    found = run(file.packed(), "test", {"x": integers})
    wanted = (integers.astype(np.float32) - zero) * 0.25
    assert_array_equal(found["x"], wanted)
    assert_array_equal(found["sum"], 2 * wanted)
