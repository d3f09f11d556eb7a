"""The earlier port's picture demo, over this package: draw the poses of a folder's pictures.

python image_demo.py --model movenet_thunder --image_dir ./images --output_dir ./output
"""

import argparse
import sys
import time
from pathlib import Path

from movenet import PoseEstimator, images
from movenet.cli.predict import destination, make_folder
from movenet.errors import ImageError

MODELS = {"movenet_lightning": "lightning", "movenet_thunder": "thunder"}


def main() -> int:
    """Draw every picture; the average counts reading, drawing and writing, as it did."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", choices=MODELS, default="movenet_lightning")
    parser.add_argument("--conf_thres", type=float, default=0.3, help="draw keypoints over this")
    parser.add_argument("--image_dir", default="./images")
    parser.add_argument("--output_dir", type=Path, default=Path("./output"))
    args = parser.parse_args()
    try:
        paths = images.find([args.image_dir])
    except ImageError as error:
        print(f"{error}; python get_test_images.py fetches some", file=sys.stderr)
        return 1
    estimator = PoseEstimator(MODELS[args.model], keypoint_threshold=args.conf_thres)
    make_folder(args.output_dir)
    taken = {str(path.resolve()).casefold() for path in paths}
    start, done = time.perf_counter(), 0
    for path in paths:
        try:
            picture = images.read(path)
            drawn = estimator(picture).draw(picture, keypoint_threshold=args.conf_thres)
            images.save(drawn, destination(path, args.output_dir, taken))
            done += 1
        except ImageError as error:
            print(error, file=sys.stderr)
    print(f"Average FPS: {done / (time.perf_counter() - start):.2f}")
    return 0 if done == len(paths) else 1


if __name__ == "__main__":
    sys.exit(main())
