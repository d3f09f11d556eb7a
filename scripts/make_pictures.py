"""Make the bundled pictures from scikit-image's.

Run it in an environment that has scikit-image (the project's own does not):

    python -m venv /tmp/pictures && /tmp/pictures/bin/pip install scikit-image
    /tmp/pictures/bin/python scripts/make_pictures.py

It writes src/movenet/pictures/*.png; made with scikit-image 0.26 and Pillow 13.
"""

from pathlib import Path

from PIL import Image
from skimage import data

FOLDER = Path(__file__).resolve().parent.parent / "src" / "movenet" / "pictures"
LIMIT = 300_000  # bytes

# left, top, right, bottom in the sources, both 512 x 512; then the size to scale to
ASTRONAUT = ((8, 0, 408, 512), (350, 448))
CAMERA = ((0, 32, 456, 512), (456, 480))
TWO_PEOPLE_HEIGHT = 336


def scaled(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Antialiased: Lanczos over the area that becomes one pixel."""
    return picture.resize(size, Image.Resampling.LANCZOS)


def side_by_side(pictures: list[Image.Image], height: int) -> Image.Image:
    """The pictures in RGB, scaled to one height, from left to right."""
    parts = [
        scaled(p.convert("RGB"), (round(p.width * height / p.height), height)) for p in pictures
    ]
    whole = Image.new("RGB", (sum(part.width for part in parts), height))
    left = 0
    for part in parts:
        whole.paste(part, (left, 0))
        left += part.width
    return whole


def main() -> None:
    astronaut = Image.fromarray(data.astronaut()).crop(ASTRONAUT[0])
    camera = Image.fromarray(data.camera()).crop(CAMERA[0])
    pictures = {
        "astronaut": scaled(astronaut, ASTRONAUT[1]),
        "camera": scaled(camera, CAMERA[1]),
        "two_people": side_by_side([camera, astronaut], TWO_PEOPLE_HEIGHT),
    }
    for name, picture in pictures.items():
        path = FOLDER / f"{name}.png"
        picture.save(path, optimize=True)
        size = path.stat().st_size
        print(f"{path.name}: {picture.width} x {picture.height} {picture.mode}, {size} bytes")
        assert size < LIMIT, f"{path.name} is too large"


if __name__ == "__main__":
    main()
