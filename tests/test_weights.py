"""Weights in files: the shipped ones, and how damage shows."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import movenet
from movenet import weights
from movenet.errors import WeightsError
from movenet.specs import ROWS, SPECS

LIGHTNING = SPECS["lightning"]


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    return load_file(weights.manifest()["lightning"].path)


@pytest.fixture
def saved(tensors: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    weights.save(path, LIGHTNING, tensors, "somewhere")
    return path


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_what_ships_is_what_the_manifest_says(name: str) -> None:
    entry = weights.manifest()[name]
    assert hashlib.sha256(entry.path.read_bytes()).hexdigest() == entry.sha256
    stored = load_file(entry.path)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    assert sum(value.numel() for value in stored.values()) == entry.parameters
    assert (entry.source, entry.licence) == (SPECS[name].source, "Apache-2.0")


def test_a_loaded_network_is_ready_to_predict() -> None:
    model = movenet.load("lightning")
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    assert all(p.requires_grad for p in model.parameters())


def test_saved_weights_load_again(saved: Path, tensors: dict[str, torch.Tensor]) -> None:
    model = movenet.load("lightning", weights=saved)
    for key, value in model.state_dict().items():
        assert torch.equal(value, tensors[key].float())


def test_weights_are_told_by_content(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "weights.bin"
    saved.rename(other)
    assert movenet.load("lightning", weights=other).spec == LIGHTNING


def test_saving_twice_gives_the_same_bytes(
    saved: Path, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    again = tmp_path / "again.safetensors"
    weights.save(again, LIGHTNING, dict(reversed(tensors.items())), "somewhere")
    assert again.read_bytes() == saved.read_bytes()


def message(path: Path, name: str = "lightning") -> str:
    with pytest.raises(WeightsError) as error:
        movenet.load(name, weights=path)
    return str(error.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"^no model 'light'; there are lightning, thunder, multipose$"
    ):
        movenet.load("light")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    assert message(path) == f"{path}: cannot be read (No such file or directory)"


def test_a_truncated_file_says_so(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    text = message(saved)
    assert text.startswith(f"{saved}: not a whole safetensors file (")
    assert text.endswith("; download or convert it again")


def test_one_altered_byte_is_noticed(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[-1] ^= 1
    saved.write_bytes(data)
    assert message(saved) == (
        f"{saved}: the tensors are not those that were saved (their SHA-256 differs); "
        "convert or download the file again"
    )


def test_an_altered_shipped_file_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entry = weights.manifest()["lightning"]
    data = bytearray(entry.path.read_bytes())
    data[-1] ^= 1
    (tmp_path / entry.file).write_bytes(data)
    (tmp_path / "manifest.json").write_bytes((weights.FOLDER / "manifest.json").read_bytes())
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    with pytest.raises(WeightsError) as error:
        movenet.load("lightning")
    assert str(error.value) == (
        f"{tmp_path / entry.file}: not the file that was shipped (its SHA-256 differs); "
        "install movenet-pytorch again"
    )


def test_another_model_s_file_is_refused(saved: Path) -> None:
    assert message(saved, "thunder") == (
        f"{saved}: holds 'lightning', not 'thunder'; load it by that name"
    )


def test_every_tensor_must_be_there_and_fit(
    tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "bad.safetensors"
    bad = dict(tensors)
    bad["centre.output.bias"] = torch.zeros(2)
    bad["stray"] = bad.pop("backbone.last.bias")
    save_file(bad, path)
    assert message(path) == (
        f"{path}: not the weights of 'lightning' (missing: backbone.last.bias; unknown: stray; "
        "of another shape: centre.output.bias (2,), not (1,))"
    )


@pytest.mark.parametrize("metadata", ["not json", "[1]"])
def test_somebody_else_s_header_is_passed_over(
    metadata: str, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "other.safetensors"
    save_file(tensors, path, {"movenet": metadata})
    assert movenet.load("lightning", weights=path).spec == LIGHTNING


@pytest.mark.parametrize("bad", [torch.full((1,), torch.nan), torch.zeros(1, dtype=torch.int32)])
def test_a_value_that_is_no_number_is_refused(
    bad: torch.Tensor, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "bad.safetensors"
    save_file(tensors | {"centre.output.bias": bad}, path)
    assert message(path) == (
        f"{path}: not the weights of 'lightning' (not floating and finite: centre.output.bias)"
    )


def test_a_folder_is_no_file_to_save_to(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as error:
        weights.save(tmp_path, LIGHTNING, tensors, "somewhere")
    assert str(error.value) == f"{tmp_path}: is a folder; name the file to write"


def test_a_failed_save_leaves_nothing_behind(
    tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "no" / "such" / "folder.safetensors"
    with pytest.raises(WeightsError) as error:
        weights.save(path, LIGHTNING, tensors, "somewhere")
    assert str(error.value) == f"{path}: cannot be written (No such file or directory)"
