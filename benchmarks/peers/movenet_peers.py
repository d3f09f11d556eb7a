"""The workers that need this package's environment: MoveNet in LiteRT and in PyTorch.

Argument: JSON with `kind`, `model`, `threads`, `pictures` and `compared` (files of raw uint8
pictures, RGB), `shape` of one picture, and what the kind needs besides. Runtimes are imported
where they are used, so that a worker holds only its own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from serve import begin, serve

Array = NDArray[Any]
Prepared = tuple[str, Callable[[Array], Any], Callable[[Array], Array]]


def engine(given: dict[str, Any]) -> Prepared:
    """This package's engines, as people call them: uint8 picture to Google's tensor."""
    from movenet.selection import select_engine  # noqa: PLC0415

    found = select_engine(
        given["model"], engine=given["engine"], device="cpu", threads=given["threads"]
    )
    return found.runtime, lambda batch: found(batch), lambda picture: picture[None]


def frame(given: dict[str, Any]) -> Prepared:
    """This package's estimator, from the frame to its people."""
    from movenet import PoseEstimator  # noqa: PLC0415

    estimator = PoseEstimator(
        given["model"], refine=False, engine="litert", device="cpu", threads=given["threads"]
    )
    return estimator.engine.runtime, lambda seen: estimator.estimate([seen]), lambda seen: seen


def google(given: dict[str, Any]) -> Prepared:
    """Google's graph as it is, with the int32 pictures that it takes."""
    from importlib.metadata import version  # noqa: PLC0415

    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

    interpreter = Interpreter(model_path=given["file"], num_threads=given["threads"])
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]

    def run(batch: Array) -> Array:
        interpreter.set_tensor(source, batch)
        interpreter.invoke()
        output: Array = interpreter.get_tensor(target)
        return output

    runtime = f"LiteRT {version('ai-edge-litert')}, XNNPACK"
    return runtime, run, lambda picture: picture[None].astype(np.int32)


def dense(given: dict[str, Any]) -> Prepared:
    """The earlier port's way with this package's network: NCHW in memory, every head everywhere."""
    import torch  # noqa: PLC0415

    import movenet  # noqa: PLC0415
    from movenet.decode import decode  # noqa: PLC0415

    torch.set_num_threads(given["threads"])
    model = movenet.load(given["model"])

    def run(batch: Array) -> Array:
        with torch.inference_mode():
            output: Array = decode(model(torch.from_numpy(batch))).numpy()
        return output

    return (
        f"PyTorch {torch.__version__}",
        run,
        lambda picture: np.ascontiguousarray(picture.transpose(2, 0, 1)[None]),
    )


KINDS = {"engine": engine, "frame": frame, "google": google, "dense": dense}


def main() -> None:
    """Serve the kind that was asked for."""
    given, answers = begin()
    runtime, run, prepare = KINDS[given["kind"]](given)

    def read(file: str) -> list[Array]:
        raw = np.fromfile(Path(file), np.uint8).reshape(-1, *given["shape"])
        return [prepare(picture) for picture in raw]

    compared = read(given["compared"]) if given["compared"] else []
    serve(answers, runtime, run, read(given["pictures"]), compared)


if __name__ == "__main__":
    main()
