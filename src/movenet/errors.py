"""What can go wrong and a user can mend.

MoveNetError          one line: the file or option, what is wrong, what to do
├── ImageError        a picture that cannot be read
├── VideoError        a video, camera or stream that cannot be read, or a movie not written
├── WeightsError      a file of weights that is not what it should be
├── EngineError       a runtime or device that is missing or refuses
└── ExportError       an export that cannot be made, or is not as good as it must be

A caller's mistake (a wrong shape, an unknown name) is a ValueError.
"""


class MoveNetError(Exception):
    """The base of every error that a user can mend."""


class ImageError(MoveNetError):
    """A picture that cannot be read; names it and says why."""


class VideoError(MoveNetError):
    """A video, camera or stream that cannot be read, or a movie that cannot be written."""


class WeightsError(MoveNetError):
    """A file of weights that is not what it should be; names it and the tensor."""


class EngineError(MoveNetError):
    """A runtime or device that is missing or refuses."""


class ExportError(MoveNetError):
    """An export that cannot be made, or is not as good as it must be."""
