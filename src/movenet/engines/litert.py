"""LiteRT (TFLite with XNNPACK), the fastest on a CPU.

What is unusual here:
- A file holds a graph for each input shape. A graph is prepared when its shape is first seen.
- One picture runs on all threads; a batch runs on single-thread interpreters side by side.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from threading import Semaphore

import numpy as np
from numpy.typing import NDArray

from movenet.engines import Shape, check_shape
from movenet.engines.tflite import Signature, TFLiteFile
from movenet.errors import EngineError
from movenet.silence import silence
from movenet.specs import MULTIPLE, ModelSpec, spec_of

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError as error:
    raise EngineError(
        "engine litert: ai-edge-litert is not installed here (pip install ai-edge-litert; it has "
        "wheels for x86-64 Linux, Windows and arm64 macOS); or take --engine torch"
    ) from error

PREPARED = 8  # shapes that are kept ready; each interpreter takes 18 MB (Lightning) to 41 MB
UINT8 = 3  # TensorType of TFLite's schema.fbs


class LiteRTEngine:
    """A TFLite file with one graph a shape; `threads` CPU threads."""

    def __init__(
        self, path: Path, *, threads: int, spec: ModelSpec | None = None, sha256: str = ""
    ):
        """Look into the file. EngineError for one that is not a MoveNet of ours, or not `spec`.

        With `sha256`, also for one that has another hash.
        """
        self.runtime = f"LiteRT {version('ai-edge-litert')}, XNNPACK"
        self._path, self._threads = path, threads
        try:
            data = path.read_bytes()
            if sha256 and hashlib.sha256(data).hexdigest() != sha256:
                raise EngineError(
                    f"{path}: not the file that was shipped (its SHA-256 differs); "
                    "install movenet-pytorch again"
                )
            self._file = TFLiteFile(data)
        except OSError as error:
            raise EngineError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise EngineError(f"{path}: {error}; export or download it again") from error
        self.spec = spec_of(str(path), self._file.metadata.get("movenet", b""), spec)
        self.precision = precision_of(self._file.metadata["movenet"])
        self._graphs: dict[Shape, Signature] = {}
        for signature in self._file.signatures:
            check(path, signature, self.spec)
            self._graphs[signature.input[1], signature.input[2]] = signature
        self._shapes = frozenset(self._graphs)
        self._pool = ThreadPoolExecutor(threads, "litert") if threads > 1 else None
        # By number of threads, so that a graph of its own serves the single pictures. Not a method
        # of self: that cycle would keep the interpreters until the garbage collector comes.
        self._prepared = lru_cache(PREPARED)(partial(prepare, self._file, self._graphs))

    @property
    def shapes(self) -> frozenset[Shape]:
        """The input shapes in the file."""
        return self._shapes

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, H, W, 3) uint8 RGB -> (N, 1, 17, 3) or (N, 6, 56) float32."""
        shape = check_shape(self._path, self._shapes, batch)
        try:
            return self._run(shape, batch)
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"{self._path}: LiteRT cannot run it ({error})") from error

    def _run(self, shape: Shape, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        count = len(batch)
        if count == 1:
            return self._prepared(shape, 1, self._threads)(batch)
        if not count:
            return np.empty((0, *self.spec.output_shape), np.float32)
        runner = self._prepared(shape, self._threads, 1)
        each = self._pool.map if self._pool else map
        return np.concatenate(list(each(runner, np.split(batch, count))))


class Runner:
    """Interpreters of one graph, at most `most`, made when first needed; a call waits for one."""

    def __init__(self, data: bytes, most: int, threads: int):
        self._data, self._threads = data, threads
        self._room = Semaphore(most)
        self._free: list[Interpreter] = []
        interpreter = self._made()
        self._free.append(interpreter)
        self._input = interpreter.get_input_details()[0]["index"]
        self._output = interpreter.get_output_details()[0]["index"]

    def _made(self) -> Interpreter:
        interpreter = Interpreter(model_content=self._data, num_threads=self._threads)
        with silence(2):  # it announces its delegate there; errors come as exceptions
            interpreter.allocate_tensors()
        return interpreter

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One picture, (1, H, W, 3), -> Google's tensor of it."""
        with self._room:
            try:
                interpreter = self._free.pop()
            except IndexError:
                interpreter = self._made()
            try:
                interpreter.set_tensor(self._input, batch)
                interpreter.invoke()
                output: NDArray[np.float32] = interpreter.get_tensor(self._output)
            finally:
                self._free.append(interpreter)
        return output


def prepare(
    file: TFLiteFile, graphs: dict[Shape, Signature], shape: Shape, most: int, threads: int
) -> Runner:
    """The graph of a shape, on at most `most` interpreters of that many threads."""
    return Runner(file.only(graphs[shape]), most, threads)


def precision_of(metadata: bytes) -> str:
    """Of a file's arithmetic: int8 or float32 (float16 is how weights are stored)."""
    return "int8" if json.loads(metadata).get("precision") == "int8" else "float32"


def check(path: Path, signature: Signature, spec: ModelSpec) -> None:
    """EngineError unless a graph goes from uint8 pictures to Google's tensor."""
    fits = len(signature.input) == 4 and signature.input[0] == 1 and signature.input[3] == 3
    fits = fits and all(side and not side % MULTIPLE for side in signature.input[1:3])
    if not fits or signature.input_type != UINT8 or signature.outputs != 1:
        raise EngineError(
            f"{path}: not an export of movenet with its decoding (it takes {signature.input} and "
            f"gives {signature.outputs} tensors); make one with movenet export"
        )
    if signature.output != (1, *spec.output_shape):
        raise EngineError(f"{path}: gives {signature.output}, which is not {spec.name}'s output")
