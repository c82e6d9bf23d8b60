"""Make the degraded pictures of docs/pictures that `irflow degrade` does not make, from scikit-image's photographs.

    python benchmarks/pictures.py

Scratches with their mask, lettering in one colour, missing pixels, a small picture. What irflow makes of them: see the README.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage import data

from irflow_cli.degradations import masks

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
YELLOW = (255, 221, 0)
LEGS = (  # of a tripod, in pixels, and how wide they are painted over
    *(((288, 322), (237, 493), 23), ((293, 330), (293, 486), 14), ((304, 322), (396, 511), 16), ((296, 312), (296, 340), 40)),
    *(((306, 312), (334, 303), 15), ((248, 489), (396, 481), 11), ((258, 466), (290, 484), 16), ((295, 214), (293, 330), 14)),
    *(((238, 490), (238, 511), 24), ((393, 482), (393, 511), 30), ((250, 472), (262, 480), 18)),
)


def scratched() -> dict[str, np.ndarray]:
    """Return an astronaut under the scratches and dust of an old print, and where they are."""
    picture = data.astronaut()[:360, 60:420]
    height, width = picture.shape[:2]
    hole = masks.scratches(height, width, np.random.default_rng(4))
    return {
        "scratched": np.where(hole[..., None], np.array([240, 236, 225], np.uint8), picture),
        "scratched.mask": hole * np.uint8(255),
    }


def lettered() -> dict[str, np.ndarray]:
    """Return a cup of coffee, and the same under yellow letters."""
    picture = np.ascontiguousarray(data.coffee()[:, 120:520])
    written = picture.copy()
    for row, line in enumerate(("good morning", "coffee first", "good morning", "coffee first", "good morning")):
        cv2.putText(written, line, (8 + 30 * (row % 2), 70 + 75 * row), cv2.FONT_HERSHEY_DUPLEX, 1.4, YELLOW, 3, cv2.LINE_8)
    return {"cup": picture, "lettered": written}


def tripod() -> dict[str, np.ndarray]:
    """Return a photographer in a meadow, and where his tripod is."""
    hole = np.zeros((512, 512), np.uint8)
    for begin, end, width in LEGS:
        cv2.line(hole, begin, end, 255, width)
    return {"tripod": data.camera(), "tripod.mask": hole}


def sparse() -> dict[str, np.ndarray]:
    """Return a cat of which seven pixels in ten are transparent."""
    picture = data.chelsea()[:300, 60:380]
    height, width = picture.shape[:2]
    hole = masks.pixels(height, width, np.random.default_rng(0), share=0.7)
    return {"sparse": np.dstack([np.where(hole[..., None], 0, picture), np.where(hole, 0, 255)]).astype(np.uint8)}


def small() -> dict[str, np.ndarray]:
    """Return the astronaut's face at half its size."""
    picture = data.astronaut()[20:260, 120:360]
    return {"small": cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)}


if __name__ == "__main__":
    for make in (scratched, lettered, tripod, sparse, small):
        for name, pixels in make().items():
            Image.fromarray(pixels).save(FOLDER / f"{name}.png", optimize=True)
            print(f"{name}.png {pixels.shape[1]} x {pixels.shape[0]}")
