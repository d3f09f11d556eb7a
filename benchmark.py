"""The earlier port's benchmark, over this package: how many pictures a second the network does.

python benchmark.py --model movenet_thunder --image_dir ./images --num_images 1000
"""

import argparse
import sys
import time

from movenet import PoseEstimator, images
from movenet.cli.options import positive
from movenet.errors import ImageError
from movenet.specs import SPECS

MODELS = {"movenet_lightning": "lightning", "movenet_thunder": "thunder"}


def main() -> int:
    """Time the network alone, as it did; 'movenet benchmark' times everything, and checks it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", choices=(*MODELS, *SPECS), default="movenet_lightning")
    parser.add_argument("--image_dir", default="./images")
    parser.add_argument("--num_images", type=positive, default=1000, help="cycling through them")
    args = parser.parse_args()
    estimator = PoseEstimator(MODELS.get(args.model, args.model), refine=False, letterbox="square")
    try:
        paths = images.find([args.image_dir])[: args.num_images]
        inputs = [estimator.preprocess([images.read(path)])[0].inputs for path in paths]
    except ImageError as error:
        print(f"{error}; python get_test_images.py fetches some", file=sys.stderr)
        return 1
    estimator.engine(inputs[0])  # the first call prepares the graph
    start = time.perf_counter()
    for index in range(args.num_images):
        estimator.engine(inputs[index % len(inputs)])
    print(f"Average FPS: {args.num_images / (time.perf_counter() - start):.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
