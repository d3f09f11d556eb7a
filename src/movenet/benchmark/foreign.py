"""Somebody else's TFLite file, in the same runtime as ours."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from movenet.engines import Shape
from movenet.engines.tflite import TFLiteFile
from movenet.errors import EngineError
from movenet.silence import silence
from movenet.specs import MULTIPLE, ROWS, ModelSpec, spec_of

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError as error:
    raise EngineError(
        "--vs: ai-edge-litert is not installed here (pip install ai-edge-litert; it has wheels "
        "for x86-64 Linux, Windows and arm64 macOS); leave --vs out"
    ) from error

OPEN = -1  # a side that a file leaves to its user
KINDS = (np.uint8, np.int32, np.float32)  # of the input; all of them hold 0..255


class ForeignFile:
    """A TFLite file that takes one picture (1, H, W, 3) and gives Google's tensor.

    Where the file leaves height and width open, they are those of `shape`.
    """

    def __init__(self, path: Path, *, spec: ModelSpec, shape: Shape, threads: int):
        """Open the file and run it once. EngineError says what does not fit."""
        self._path, self.name, self._spec = path, path.name, spec
        try:
            data = path.read_bytes()
        except OSError as error:
            raise self._wrong(f"cannot be read ({error.strerror}); check the path") from error
        try:
            with silence(2):  # it announces its delegate there; errors come as exceptions
                self._interpreter = Interpreter(model_content=data, num_threads=threads)
        except ValueError as error:
            raise self._wrong("not a whole TFLite file; download it again") from error
        self._check_model(data, spec)
        self._input, self.kind, self.shape = self._picture_input(shape)
        self._output = self._only_output()
        self._check(spec)

    def prepared(self, inputs: NDArray[np.uint8]) -> NDArray[np.generic]:
        """(N, H, W, 3) uint8 -> the same values in the type that the file takes."""
        return inputs.astype(self.kind)

    def __call__(self, picture: NDArray[np.generic]) -> NDArray[np.float32]:
        """(1, H, W, 3) as `prepared` gives it -> Google's tensor."""
        self._interpreter.set_tensor(self._input, picture)
        self._interpreter.invoke()
        output: NDArray[np.float32] = self._interpreter.get_tensor(self._output)
        return output

    def _picture_input(self, shape: Shape) -> tuple[int, type[np.generic], Shape]:
        """Its number, its type and its height and width."""
        inputs = self._interpreter.get_input_details()
        first = inputs[0]
        sides = [int(side) for side in first["shape_signature"]]
        fits = len(inputs) == 1 and len(sides) == 4 and sides[0] in (1, OPEN) and sides[3] == 3
        if not fits or first["dtype"] not in KINDS:
            taken = ", ".join(f"{i['shape'].tolist()} {np.dtype(i['dtype'])}" for i in inputs)
            raise self._wrong(
                f"takes {taken}, not one picture [1, height, width, 3] of uint8, int32 or "
                "float32; name another file"
            )
        if OPEN in sides:
            sides = [1, *(o if o != OPEN else s for o, s in zip(sides[1:3], shape, strict=True)), 3]
            self._interpreter.resize_tensor_input(first["index"], sides)
        h, w = sides[1:3]
        others = {row.side for row in ROWS} - {self._spec.side, *self._spec.sides}
        if h == w and h in others:
            raise self._wrong(
                f"takes {h}x{w}, which is another model's; name another file or --model"
            )
        if h % MULTIPLE or w % MULTIPLE:
            raise self._wrong(
                f"takes {h}x{w}, but a MoveNet takes multiples of {MULTIPLE}; name another file"
            )
        return first["index"], first["dtype"], (h, w)

    def _only_output(self) -> int:
        outputs = self._interpreter.get_output_details()
        if len(outputs) != 1:
            raise self._wrong(
                f"gives {len(outputs)} tensors, not Google's one; name a file with the decoding"
            )
        return int(outputs[0]["index"])

    def _check_model(self, data: bytes, spec: ModelSpec) -> None:
        """A file of ours says which network it is; others do not."""
        try:
            metadata = TFLiteFile(data).metadata.get("movenet")
        except ValueError:  # a file that LiteRT can open, and our reader cannot
            return
        if metadata:
            spec_of(f"--vs {self._path}", metadata, spec)

    def _check(self, spec: ModelSpec) -> None:
        """Run it once, on black."""
        try:
            with silence(2):
                self._interpreter.allocate_tensors()
                output = self(np.zeros((1, *self.shape, 3), self.kind))
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise self._wrong(f"LiteRT cannot run it ({reason}); name another file") from error
        wanted = (1, *spec.output_shape)
        if output.shape != wanted or output.dtype != np.float32:
            raise self._wrong(
                f"gives {list(output.shape)} {output.dtype}, not {list(wanted)} float32 as "
                f"{spec.name} does; name another file or --model"
            )

    def _wrong(self, what: str) -> EngineError:
        return EngineError(f"--vs {self._path}: {what}")
