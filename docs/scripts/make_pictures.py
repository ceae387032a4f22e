"""Make the two pictures of the README: python docs/scripts/make_pictures.py [SEED]."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import cv2
import numpy as np

from stseg_ros.assembly import open_segmenter
from stseg_ros.bundle import ModelBundle, find_bundle
from stseg_ros.config import PipelineConfig
from stseg_ros.datasets.synthetic.scenes import render_scene
from stseg_ros.pipeline.overlay import draw_overlay
from stseg_ros.records import Frame, SegmentationResult, UInt8Array

PICTURES = Path(__file__).parents[1] / 'pictures'
PANEL_WH = (640, 360)


def titled(picture_bgr: UInt8Array, title: str) -> UInt8Array:
    """Shrink a picture to a panel with its title below."""
    panel = cv2.resize(picture_bgr, PANEL_WH, interpolation=cv2.INTER_AREA)
    strip = np.full((36, PANEL_WH[0], 3), 255, np.uint8)
    place = (8, 25)
    cv2.putText(strip, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([np.asarray(panel, np.uint8), strip])


def heat(result: SegmentationResult) -> UInt8Array:
    """Colour the vehicle probability."""
    probability = np.rint(result.probability_hw() * 255.0).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(probability, cv2.COLORMAP_VIRIDIS), np.uint8)


def main(seed: int) -> None:
    """Segment one scene and write both pictures."""
    frame = Frame(image_hwc=render_scene(seed).image_hwc)
    segmenter = open_segmenter(ModelBundle.read(find_bundle('driving_small')), PipelineConfig())
    result = segmenter.segment(frame)
    settings = segmenter.settings
    segmenter.settings = dataclasses.replace(settings, regions=0)
    coarse = segmenter.segment(frame)
    segmenter.close()

    overlay = draw_overlay(frame, result)
    nothing_found = dataclasses.replace(result, mask_hw=np.zeros_like(result.mask_hw))
    chosen = draw_overlay(frame, nothing_found)
    top = np.hstack(
        [titled(frame.image_hwc[..., ::-1], '1  frame'), titled(heat(coarse), '2  coarse')]
    )
    bottom = np.hstack(
        [
            titled(chosen, f'3  {len(result.selection)} regions over what was found'),
            titled(overlay, '4  fused mask'),
        ]
    )
    quality = [cv2.IMWRITE_JPEG_QUALITY, 88]
    cv2.imwrite(str(PICTURES / 'overlay.jpg'), overlay, quality)
    cv2.imwrite(str(PICTURES / 'how_it_works.jpg'), np.vstack([top, bottom]), quality)


if __name__ == '__main__':
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 213)
