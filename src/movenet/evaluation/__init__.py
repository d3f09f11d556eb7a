"""Accuracy on COCO keypoint annotations: named protocols, pycocotools' matching, intervals.

- single-crop: one person; the first look, the only one without refinement, sees the person's true
  box, widened by 1.25.
- single-full: one person; the whole picture is given.
- multi: everybody; the whole picture is given.

No threshold is applied: everybody that is given is ranked by score. docs/accuracy.md has the rest.
"""

from typing import Any, Literal, get_args

Record = dict[str, Any]  # of COCO's formats
Protocol = Literal["single-crop", "single-full", "multi"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
