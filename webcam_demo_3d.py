"""The earlier port's 3D webcam demo, over this package: one person live, and the body beside.

python webcam_demo_3d.py --model movenet_thunder --cam_id 0

Keys: the arrows turn the body, q ends, space pauses, m mirrors the view, s saves it as a picture.
"""

import argparse
import sys
import time

from movenet import cli
from movenet.cli import track
from movenet.cli.options import positive, share

MODELS = {"movenet_lightning": "lightning", "movenet_thunder": "thunder"}


def main() -> int:
    """Open a window; errors are one line, as those of `movenet lift --show`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", choices=MODELS, default="movenet_lightning")
    parser.add_argument("--cam_id", default="0", help="a number, or a video file in its place")
    parser.add_argument("--cam_width", type=positive, default=1280)
    parser.add_argument("--cam_height", type=positive, default=720)
    parser.add_argument("--conf_thres", type=share, default=0.3, help="draw keypoints over this")
    parser.add_argument(
        "--cropping", action="store_true", help="Google's square crop, not the person's own"
    )
    old = parser.parse_args()
    options = ["--show", "--model", MODELS[old.model], "--threshold", str(old.conf_thres)]
    options += ["--crop", "google"] if old.cropping else []
    args = cli.parser().parse_args(["lift", *options, "--", old.cam_id])
    args.camera_size, args.run = (old.cam_width, old.cam_height), show
    return cli.run(args)


def show(args: argparse.Namespace) -> int:
    """Follow one person; the average counts everything from the first frame on, as it did."""
    # In here, where a library that is missing is one line as well.
    from movenet.cli.lifted import Lifting, causal  # noqa: PLC0415
    from movenet.cli.lifted_outputs import LiftedOutputs  # noqa: PLC0415
    from movenet.sources import open_source  # noqa: PLC0415

    (args.source,) = args.sources
    with open_source(args.source, camera_size=args.camera_size) as source:
        tracker, lifting = track.opened(args, source), Lifting(args)
        with LiftedOutputs(args, source, [], lifting) as outputs:
            start = time.perf_counter()
            try:
                passed = causal(source, tracker, lifting, args)
                return track.put_all(passed, outputs, args)
            finally:
                print(f"Average FPS: {outputs.frames / (time.perf_counter() - start):.2f}")


if __name__ == "__main__":
    sys.exit(main())
