"""Bodies in a 3D view: a picture of them from any side, drawn by OpenCV alone.

What is unusual here:
- A body's joints are relative to its own pelvis, so nothing is known of where it stands. Everybody
  is put on one floor, by the lowest joint, in a row that always runs across the picture: each
  turns about the own vertical axis, as if on a turntable, and nobody hides another.
- So the floor never moves. Who crouches sinks, and the feet stay; a jump is not seen.
- There is no depth buffer: limbs are painted from the farthest to the nearest.
"""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from movenet.draw import LEFT, MIDDLE, RIGHT, RIM, label, line_width
from movenet.keypoints import SIDES
from movenet.lifting.bodies import METRES, Bodies
from movenet.lifting.joints import EDGES, INDEX, NAMES
from movenet.stage import AIR, SHIFT, Camera, fixed, floor

Pixels = NDArray[np.uint8]
Doubles = NDArray[np.float64]

# Lengths are in body heights here.
_STATURE_M = 1.7  # of whom bodies in metres are shown as tall as others; children stay smaller
_FLESH = {  # radius of what is drawn around a joint
    "pelvis": 0.036,
    "spine": 0.034,
    "neck": 0.026,
    "shoulder": 0.028,
    "elbow": 0.023,
    "wrist": 0.017,
    "hip": 0.034,
    "knee": 0.027,
    "ankle": 0.019,
}
_HEAD, _NOSE = 0.062, 0.013  # of a ball, and of what sticks out of it
_RIM = 0.006  # width of the dark rim, at least a pixel
_SHADOW = (19, 22, 27)  # RGB

_UNSURE = 0.08  # a joint as uncertain as this is drawn half as strongly
_PALEST, _THINNEST = 0.3, 0.4  # of the colour and of the radius, where nothing is known
_SHADE, _FOG, _DARKEST = 0.85, 0.6, 0.4  # of the colour: in the middle; lost in a height; at least
_SHINE, _SHINE_SIZE, _SHINE_OFF = 0.35, 0.42, 0.3  # how white, how wide, how far up and left

_KEPT = 30  # pictures that the place of someone who is gone stays free
_ARC = 12  # points of half a circle

_COLOURS = {-1: LEFT, 0: MIDDLE, 1: RIGHT}  # by side, of the person
_SIDES = (*SIDES, 0, 0, 0, 0)
_RADII = np.array([_FLESH.get(name.split("_")[-1], _HEAD) for name in NAMES])  # (21,)
# What is drawn of a body are 17 solids: 14 bones, then the neck, the ball and the nose.
_BONES = np.array([edge for edge in EDGES if INDEX["head"] not in edge])  # (14, 2)
_ON_HEAD = [INDEX["head"]] * 3
_SOLID_RADII = np.array(  # (17, 2)
    [*_RADII[_BONES], [_FLESH["neck"]] * 2, [_HEAD] * 2, [_NOSE] * 2]
)
_SOLID_COLOURS = np.array(  # (17, 3)
    [*(_COLOURS[int(np.sign(_SIDES[a] + _SIDES[b]))] for a, b in _BONES), *[MIDDLE] * 3]
)


class View3D:
    """Pictures of bodies as a camera on a sphere around them would take them.

    One object a stream: people keep their places in the row by their ids, for 30 pictures after
    they were last seen; new ones come to the right end.
    """

    def __init__(
        self, size: tuple[int, int], *, azimuth_deg: float = 0, elevation_deg: float = 15
    ) -> None:
        """Size: height and width in pixels.

        Azimuth 0 sees the bodies from where their camera was; 90 from its right, so that what was
        farther away is on the right. Elevation 90 sees them from above.
        Raises ValueError for a size under 2.
        """
        if min(size) < 2:
            raise ValueError(f"size: expected a height and a width of 2 or more, got {size}")
        self.size = size
        self.azimuth_deg, self.elevation_deg = 0.0, 0.0
        self.turn(azimuth_deg, elevation_deg)
        self._unseen: dict[int, int] = {}  # id -> pictures since last seen, in the row's order
        self._stage: tuple[Camera, Pixels] | None = None

    def turn(self, azimuth_deg: float, elevation_deg: float = 0) -> None:
        """Move the camera by these angles; the elevation stops at -90 and 90."""
        self.azimuth_deg = (self.azimuth_deg + azimuth_deg) % 360
        self.elevation_deg = min(max(self.elevation_deg + elevation_deg, -90.0), 90.0)

    def draw(self, bodies: Bodies) -> Pixels:
        """Bodies -> a new picture (H, W, 3) uint8 RGB; the left is orange, the right sky blue.

        What is not finite is left out. The more uncertain a joint is, the paler and thinner are
        the limbs at it. A cell of the grid is a quarter of a body height, and a body in metres is
        drawn as if 1.7 m were one.
        """
        bodies = bodies[np.flatnonzero(np.isfinite(bodies.joints).all(-1).any(-1))]
        names = range(len(bodies)) if bodies.ids is None else bodies.ids.tolist()
        row = self._row(names)
        camera = Camera(self.size, self.azimuth_deg, self.elevation_deg, max(1, len(row)))
        joints, unsure = _standing(bodies)
        places = np.array([row.index(name) for name in names]) - (camera.places - 1) / 2  # (P,)
        solids = _solids(joints)  # (P, 17, 2, 3)
        spread = np.concatenate([unsure[:, _BONES].max(-1), unsure[:, _ON_HEAD]], 1)  # (P, 17)
        canvas = np.array(self._floor(camera))
        _shadows(canvas, camera, solids, places)
        seen = camera.see(solids, places[:, None, None]).reshape(-1, 2, 3)
        _bodies(canvas, camera, seen, 1 / (1 + (spread.ravel() / _UNSURE) ** 2))
        if bodies.ids is not None:
            _labels(canvas, camera.see(joints, places[:, None]), names)
        return canvas

    def _row(self, names: Iterable[int]) -> list[int]:
        """Who has a place, from left to right."""
        kept = {name: count + 1 for name, count in self._unseen.items() if count < _KEPT}
        self._unseen = kept | dict.fromkeys(names, 0)  # which leaves those that were there in place
        return list(self._unseen)

    def _floor(self, camera: Camera) -> Pixels:
        """The empty scene, kept for as long as nobody turns it."""
        if self._stage is None or self._stage[0] != camera:
            self._stage = camera, floor(camera)
        return self._stage[1]


def beside(picture: Pixels, view: Pixels) -> Pixels:
    """Pictures (H, W, 3) uint8 side by side; the left one is scaled to the height of the right one.

    -> (h, w, 3), h that of `view`; both even, as H.264 wants them: a last odd row or column of
    `view` is left out.
    """
    height, width = (max(2, side // 2 * 2) for side in view.shape[:2])
    wide = max(2, round(picture.shape[1] * height / picture.shape[0] / 2) * 2)
    method = cv2.INTER_AREA if 2 * height < picture.shape[0] else cv2.INTER_LINEAR
    scaled = cv2.resize(picture, (wide, height), interpolation=method)
    return np.concatenate([np.asarray(scaled, np.uint8), view[:height, :width]], 1)


def _standing(bodies: Bodies) -> tuple[Doubles, Doubles]:
    """Joints (P, 21, 3), in body heights from the floor under each, and the uncertainty (P, 21)."""
    height = _STATURE_M if bodies.unit == METRES else 1.0
    joints = bodies.joints.astype(np.float64) / height
    joints[~np.isfinite(joints).all(-1)] = np.nan
    unsure = bodies.uncertainty.astype(np.float64) / height
    unsure[np.isnan(unsure)] = np.inf
    joints[..., 1] -= np.fmax.reduce(joints[..., 1] + _RADII, 1)[:, None]
    return joints, unsure


def _solids(joints: Doubles) -> Doubles:
    """Joints (P, 21, 3) -> both ends of what is drawn (P, 17, 2, 3): bones, neck, head, nose."""
    neck, crown, nose = (joints[:, INDEX[name]] for name in ("neck", "head", "nose"))
    ball = crown + _HEAD * _unit(neck - crown)
    face = _HEAD * _unit(nose - ball)
    head = [[neck, ball], [ball, ball], [ball + 0.8 * face, ball + face]]
    return np.concatenate([joints[:, _BONES], np.array(head).transpose(2, 0, 1, 3)], 1)


def _unit(vectors: Doubles) -> Doubles:
    lengths = np.sqrt((vectors**2).sum(-1, keepdims=True))
    return np.asarray(vectors / np.maximum(lengths, 1e-9))


def _shadows(canvas: Pixels, camera: Camera, solids: Doubles, places: Doubles) -> None:
    """On the floor, from a light high above."""
    radii = np.broadcast_to(_SOLID_RADII, solids.shape[:-1])
    x, z = np.moveaxis(_capsules(solids[..., [0, 2]], radii), -1, 0)
    seen = camera.see(np.stack([x, np.zeros_like(x), z], -1), places[:, None, None])
    outlines = seen[..., :2].reshape(-1, 2 * _ARC, 2)
    for polygon in fixed(outlines[np.isfinite(outlines).all((1, 2))]):
        cv2.fillConvexPoly(canvas, polygon, _SHADOW, cv2.LINE_AA, SHIFT)


def _bodies(canvas: Pixels, camera: Camera, seen: Doubles, strength: Doubles) -> None:
    """Solids as the camera sees them, (N, 2, 3), each on a dark rim; strength (N,), 0 to 1."""
    drawn = np.flatnonzero(np.isfinite(seen).all((1, 2)))
    drawn = drawn[np.argsort(seen[drawn, :, 2].mean(1), kind="stable")]  # the farthest first
    kind, ends, strength = drawn % len(_SOLID_RADII), seen[drawn, :, :2], strength[drawn, None]
    scale = seen[drawn, :, 2]
    radii = _SOLID_RADII[kind] * scale * (_THINNEST + (1 - _THINNEST) * strength)  # (N, 2)
    away = camera.focal_px / scale.mean(1, keepdims=True) - camera.distance
    shade = (_SHADE - _FOG * away).clip(_DARKEST, 1) * (_PALEST + (1 - _PALEST) * strength)
    ink = AIR + shade * (_SOLID_COLOURS[kind] - AIR)  # (N, 3)
    lit = ends - _SHINE_OFF * radii[..., None]
    layers = (
        (_capsules(ends, radii + np.maximum(_RIM * scale, 1)), np.full_like(ink, RIM)),
        (_capsules(ends, radii), ink),
        (_capsules(lit, _SHINE_SIZE * radii), ink + _SHINE * shade * (255 - ink)),
    )
    outlines = fixed(np.stack([outline for outline, _ in layers], 1))  # (N, 3, 2 * _ARC, 2)
    inks = np.stack([colour for _, colour in layers], 1).tolist()
    for polygons, colours in zip(outlines, inks, strict=True):
        for polygon, colour in zip(polygons, colours, strict=True):
            cv2.fillConvexPoly(canvas, polygon, colour, cv2.LINE_AA, SHIFT)


def _capsules(ends: Doubles, radii: Doubles) -> Doubles:
    """Outlines (..., 2 * _ARC, 2) of what two discs at `ends` (..., 2, 2) span; radii (..., 2)."""
    along = ends[..., 1, :] - ends[..., 0, :]
    length = np.hypot(along[..., 0], along[..., 1])
    # Where one disc holds the other, the smaller grows until it touches from within.
    radii = np.maximum(radii, radii[..., ::-1] - length[..., None])
    taper = (radii[..., 0] - radii[..., 1]) / np.maximum(length, 1e-9)
    # The common tangents touch both discs at this angle from the line between their centres.
    tangent = np.arccos(taper.clip(-1, 1))[..., None]
    share = np.linspace(-1, 1, _ARC)
    angles = np.stack([np.pi + (np.pi - tangent) * share, tangent * share], -2)  # (..., 2, _ARC)
    angles += np.arctan2(along[..., 1], along[..., 0])[..., None, None]
    rays = np.stack([np.cos(angles), np.sin(angles)], -1)  # (..., 2, _ARC, 2)
    outline = ends[..., None, :] + radii[..., None, None] * rays
    return np.asarray(outline.reshape(*outline.shape[:-3], 2 * _ARC, 2))


def _labels(canvas: Pixels, seen: Doubles, ids: Sequence[int]) -> None:
    """Over the middle of each; joints as the camera sees them, (P, 21, 3)."""
    width = line_width(canvas.shape[0], canvas.shape[1])
    for xy, number in zip(seen[..., :2], ids, strict=True):
        at = float(np.nanmean(xy[:, 0])), float(np.nanmin(xy[:, 1]))
        label(canvas, str(number), at, width, xy)
