"""One demonstration from start to finish: bag, node and player, figures and pictures."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stseg_ros.bundle import ModelBundle, find_bundle
from stseg_ros.config import PipelineConfig
from stseg_ros.demo.demo_records import DemoRun
from stseg_ros.demo.play_through_node import play_through_node
from stseg_ros.demo.prepare_bag import PreparedBag, describe_bag, draw_drive, pack_images
from stseg_ros.demo.report import summary_rows, write_report
from stseg_ros.demo.review import review_run
from stseg_ros.demo.summary import summarize
from stseg_ros.errors import ConfigError, StsegError
from stseg_ros.sources.folder_to_bag import SkippedImage

DRIVE_RATE_HZ = 15.0
# What a demonstration leaves; only these are replaced by the next one.
_PRODUCTS = (
    'drive',
    'truth',
    'node.log',
    'player.log',
    'published.jsonl',
    'summary.json',
    'report.html',
    'overlay.mp4',
    'overlay.png',
)
_TO_LOOK_AT = ('report.html', 'overlay.mp4', 'overlay.png')


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What to demonstrate.

    Attributes:
        output: folder for everything that is made.
        bag: a bag to play, or None.
        images: a folder of images to play, or None; with neither, a synthetic drive is drawn.
        topic: the bag's image topic, where it has several.
        rate_hz: frames per second of drive or images; None is the recorded rate, or the drive's.
        seconds: length of the drive.
        bundle: name or folder of the bundle.
        config: backend and regions for the node.
    """

    output: Path
    bag: Path | None
    images: Path | None
    topic: str | None
    rate_hz: float | None
    seconds: float
    bundle: str
    config: PipelineConfig


def run_demo(options: DemoOptions) -> dict[str, Any]:
    """Run the demonstration and print what came of it.

    Args:
        options: what to demonstrate.

    Returns:
        The summary, as written to ``summary.json``.

    Raises:
        StsegError: input is at fault, or not one mask came back.
    """
    bundle = ModelBundle.read(find_bundle(options.bundle))
    regions, most = options.config.regions, bundle.geometry.max_regions
    if regions is not None and regions > most:
        raise ConfigError(f'regions is {regions}; {bundle.name} refines at most {most}')
    output = options.output
    _clear(output)
    prepared = _prepare(options)
    recorded = play_through_node(prepared, bundle, options.config, output)
    if not any(frame.received_ns for frame in recorded.frames):
        raise StsegError(f'no mask came back from the node; see {output / "node.log"}')
    with tqdm(total=prepared.count, desc='drawing', unit='frame', disable=None) as bar:
        run, shown = review_run(recorded, bundle, options.config, output, on_frame=bar.update)
    summary = summarize(run)
    (output / 'summary.json').write_text(json.dumps(summary, indent=2) + '\n', encoding='utf-8')
    (output / 'report.html').write_text(write_report(run, summary, shown), encoding='utf-8')
    _print(run, summary, output)
    return summary


def _clear(output: Path) -> None:
    """Remove an earlier demonstration, and nothing else."""
    if output.exists() and not output.is_dir():
        raise ConfigError(f'{output}: is a file; name a folder with --output')
    for name in _PRODUCTS:
        path = output / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    output.mkdir(parents=True, exist_ok=True)


def _prepare(options: DemoOptions) -> PreparedBag:
    """Find or make the bag to play."""
    if options.bag is not None:
        return describe_bag(options.bag, topic=options.topic)
    if options.images is not None:
        with tqdm(desc='packing images', unit='image', disable=None) as bar:
            return pack_images(
                options.images,
                options.output,
                rate_hz=options.rate_hz,
                on_image=bar.update,
                on_skipped=_warn,
            )
    rate_hz = options.rate_hz or DRIVE_RATE_HZ
    frames = max(1, round(options.seconds * rate_hz))
    with tqdm(total=frames, desc='drawing a synthetic drive', unit='frame', disable=None) as bar:
        return draw_drive(options.output, frames=frames, rate_hz=rate_hz, on_image=bar.update)


def _warn(skipped: SkippedImage) -> None:
    tqdm.write(f'{skipped.path}: left out: {skipped.reason}', file=sys.stderr)


def _print(run: DemoRun, summary: dict[str, Any], output: Path) -> None:
    rows = summary_rows(summary)
    width = max(len(name) for name, _ in rows)
    print(f'\n{run.title}, played over ROS 2:')
    for name, value in rows:
        print(f'  {name:<{width}}  {value}')
    pictures = ', '.join(str(output / name) for name in _TO_LOOK_AT)
    print(f'\nLook at {pictures}')
