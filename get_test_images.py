"""Fetch the 24 pictures of Google's PoseNet demo: python get_test_images.py --image_dir ./images

The pictures are their photographers'; they are for trying out, not for passing on.
"""

import argparse
import http.client
import sys
import time
import urllib.request
from pathlib import Path

from tqdm import tqdm

from movenet import images
from movenet.cli.predict import make_folder
from movenet.errors import ImageError, MoveNetError

BUCKET = "https://storage.googleapis.com/tfjs-models/assets/posenet/"
NAMES = [
    "frisbee.jpg",
    "frisbee_2.jpg",
    "backpackman.jpg",
    "boy_doughnut.jpg",
    "soccer.png",
    "with_computer.jpg",
    "snowboard.jpg",
    "person_bench.jpg",
    "skiing.jpg",
    "fire_hydrant.jpg",
    "kyte.jpg",
    "looking_at_computer.jpg",
    "tennis.jpg",
    "tennis_standing.jpg",
    "truck.jpg",
    "on_bus.jpg",
    "tie_with_beer.jpg",
    "baseball.jpg",
    "multi_skiing.jpg",
    "riding_elephant.jpg",
    "skate_park_venice.jpg",
    "skate_park.jpg",
    "tennis_in_crowd.jpg",
    "two_on_bench.jpg",
]
TRIES, TIMEOUT_S, PAUSE_S = 3, 20, 1.0


def fetch(name: str, folder: Path) -> str | None:
    """Fetch one picture, whole or not at all; what went wrong, if anything."""
    path, problem = folder / name, ""
    if path.exists():
        return None
    for attempt in range(TRIES):
        try:
            with urllib.request.urlopen(BUCKET + name, timeout=TIMEOUT_S) as answer:
                data = answer.read()
            images.read(data)  # and not the page of somebody's login
            part = path.with_name(f"{name}.part")
            part.write_bytes(data)
            part.replace(path)
            return None
        except (OSError, http.client.HTTPException, ImageError) as error:
            problem = str(getattr(error, "reason", error))
            time.sleep(PAUSE_S * attempt)
    return f"{name}: {problem}"


def main() -> int:
    """Fetch what is not there yet; give up at once where there is no network."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--image_dir", type=Path, default=Path("./images"))
    folder = parser.parse_args().image_dir
    try:
        make_folder(folder)
    except MoveNetError as error:
        print(error, file=sys.stderr)
        return 1
    failed = []
    for name in tqdm(NAMES, unit="picture"):
        problem = fetch(name, folder)
        if problem:
            failed.append(problem)
        if len(failed) == 2 and name == NAMES[1]:  # neither of the first two: nobody answers
            print(f"cannot fetch pictures ({problem}); are you online?", file=sys.stderr)
            print("'movenet predict' runs on pictures that come with the package", file=sys.stderr)
            return 1
    for problem in failed:
        print(problem, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
