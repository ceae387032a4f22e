"""`stseg segment`: pictures in, masks and overlays out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stseg_ros.errors import ConfigError, DataError, FrameError
from stseg_ros.verbs.output_folder import make_output_folder
from stseg_ros.verbs.pipeline_arguments import add_pipeline_arguments, open_from_arguments

if TYPE_CHECKING:
    from stseg_ros.pipeline.segmenter import Segmenter
    from stseg_ros.records import UInt8Array

SUMMARY = 'Segment images; writes NAME_mask.png (255 is vehicle) and NAME_overlay.jpg of each.'
EXAMPLES = """
stseg segment street.jpg --output out
stseg segment photos/ --output out --regions 16
stseg segment photos/ --output out --config config/segment.yaml
"""

_SUFFIXES = {'.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments.

    Args:
        parser: the verb's parser.
    """
    parser.add_argument('images', nargs='+', type=Path, metavar='IMAGE', help='images or folders')
    parser.add_argument(
        '--output', required=True, type=Path, metavar='DIR', help='folder to write'
    )
    add_pipeline_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Segment every image; one that cannot be read costs only itself.

    Args:
        arguments: what `add_arguments` declared.

    Returns:
        0, or 1 where an image could not be segmented.
    """
    from tqdm import tqdm

    listed = _list_images(arguments.images)
    paths = _without_outputs(listed, arguments.output)
    _refuse_equal_names(paths)
    _, segmenter = open_from_arguments(arguments)
    failures = 0
    try:
        make_output_folder(arguments.output)
        print(f'backend: {segmenter.backend_note}')
        if len(paths) < len(listed):
            print(f'{len(listed) - len(paths)} files left out: results of images beside them')
        for path in tqdm(paths, unit='image', disable=len(paths) == 1 or None):
            try:
                share, total_ns = _segment_one(segmenter, path, arguments.output)
            except FrameError as err:
                failures += 1
                tqdm.write(f'stseg segment: {path}: {err}', file=sys.stderr)
                continue
            tqdm.write(f'{path}: {share:.1%} vehicle, {total_ns / 1e6:.1f} ms')
    finally:
        segmenter.close()
    print(f'{len(paths) - failures} of {len(paths)} images segmented into {arguments.output}')
    return 1 if failures else 0


def _segment_one(segmenter: Segmenter, path: Path, output: Path) -> tuple[float, int]:
    """Segment one file.

    Returns:
        Share of vehicle pixels in [0, 1], and the pipeline's time in ns.
    """
    import cv2

    from stseg_ros.pipeline.overlay import draw_overlay
    from stseg_ros.records import ChannelOrder, Frame

    frame = Frame(image_hwc=_read_image(path), channel_order=ChannelOrder.BGR)
    result = segmenter.segment(frame)
    pictures = result.mask_hw, draw_overlay(frame, result)
    for name, picture in zip(_output_names(path), pictures, strict=True):
        if not cv2.imwrite(str(output / name), picture):
            raise DataError(f'{output / name}: cannot be written')
    return float((result.mask_hw > 0).mean()), result.timing.pipeline_ns


def _read_image(path: Path) -> UInt8Array:
    """Read a picture as it is meant to be seen, turned as its EXIF data say.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    import cv2
    import numpy as np

    from stseg_ros.sources.image_headers import is_jpeg_or_png, read_image_header

    unreadable = 'is not an image that OpenCV reads, or is damaged'
    try:
        data = path.read_bytes()
        if is_jpeg_or_png(data):
            # Their decoders print lines of their own about damage, and return half an image.
            read_image_header(data)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except OSError as err:
        raise FrameError(f'cannot be read: {err.strerror}') from err
    except cv2.error as err:
        raise FrameError(unreadable) from err
    if image is None:
        raise FrameError(unreadable)
    return np.asarray(image, np.uint8)


def _output_names(path: Path) -> tuple[str, str]:
    return f'{path.stem}_mask.png', f'{path.stem}_overlay.jpg'


def _without_outputs(paths: list[Path], output: Path) -> list[Path]:
    """Leave out what an earlier run wrote, or this one is about to write, for others of them."""
    results = {
        (folder.resolve(), name)
        for path in paths
        for folder in (path.parent, output)
        for name in _output_names(path)
    }
    return [path for path in paths if (path.parent.resolve(), path.name) not in results]


def _list_images(paths: list[Path]) -> list[Path]:
    """Replace folders by the images directly inside them."""
    images: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in _SUFFIXES)
            if not inside:
                raise DataError(f'{path}: has no images ({", ".join(sorted(_SUFFIXES))})')
            images += inside
        elif path.is_file():
            images.append(path)
        else:
            raise DataError(f'{path}: no such file or folder')
    return images


def _refuse_equal_names(paths: list[Path]) -> None:
    """Refuse inputs whose outputs would overwrite each other."""
    seen: dict[str, Path] = {}
    for path in paths:
        other = seen.setdefault(path.stem, path)
        if other is not path:
            raise ConfigError(
                f'{other} and {path} would both be written as {path.stem}_mask.png; '
                'segment them into different folders'
            )
