"""JPEG compression, by OpenCV's encoder."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor


def jpeg(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return the picture stored as a JPEG of quality 100 - severity and read again; severity 0 leaves it alone.

    No randomness: the generator is not used. Values are rounded to 8 bits first.
    """
    results = []
    for image, loss in zip(clean, severity.tolist(), strict=True):
        if loss <= 0:
            results.append(image)
            continue
        pixels = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()  # (H, W, C)
        _, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, round(100 - loss)])
        back = np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED)).reshape(pixels.shape)[..., ::-1].copy()
        results.append(torch.from_numpy(back).permute(2, 0, 1).to(image) / 255)
    return torch.stack(results)
