"""Scores of a bundle on labelled images, for several ways of running it at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from stseg_ros.assembly import open_segmenter, resolve_selector
from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig
from stseg_ros.measure.candidates import WHOLE, Candidate
from stseg_ros.measure.image_scores import ImageScore, prepare_truth, score_image
from stseg_ros.measure.whole_frame import WholeFrameSegmenter
from stseg_ros.records import Frame, SegmentationResult, UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledFrame:
    """One labelled image.

    Attributes:
        image_hwc: (H, W, 3) uint8 RGB.
        vehicle_hw: (H, W) uint8 of 0, 1 and 255 (ignore).
        name: for people.
    """

    image_hwc: UInt8Array
    vehicle_hw: UInt8Array
    name: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateScore:
    """What one way of running a bundle scored.

    Attributes:
        candidate: how it ran.
        names: the images, in order.
        images: their scores, in the same order; at least one.
    """

    candidate: Candidate
    names: tuple[str, ...]
    images: tuple[ImageScore, ...]


class BundleUnderTest:
    """A bundle, opened to be run in every mode it has; `close` frees it.

    Attributes:
        bundle: the bundle.
        segmenter: its two stages; `segment` changes its settings.
        settings: the recommended settings, with what the configuration changes.
        selector: name of what chooses the regions.
    """

    def __init__(self, bundle: ModelBundle, config: PipelineConfig) -> None:
        """Open all networks of a bundle.

        Args:
            bundle: the verified bundle.
            config: backend, threads, precision, and what shall differ from the recommendation.

        Raises:
            StsegError: a setting does not fit the bundle, or a network does not open.
        """
        self.bundle = bundle
        self.segmenter = open_segmenter(bundle, config)
        self.settings = self.segmenter.settings
        self.selector = resolve_selector(bundle, config)
        self._whole = None
        with ExitStack() as closed_on_failure:
            closed_on_failure.callback(self.segmenter.close)
            if bundle.whole_path is not None:
                self._whole = WholeFrameSegmenter(bundle, self.segmenter.backend, config)
            closed_on_failure.pop_all()

    @property
    def has_whole(self) -> bool:
        """Whether the bundle has a whole-frame baseline."""
        return self._whole is not None

    def segment(self, frame: Frame, candidate: Candidate) -> SegmentationResult:
        """Segment one frame.

        Args:
            frame: the image.
            candidate: how; 'whole' only where there is a baseline.

        Returns:
            The segmentation.

        Raises:
            ConfigError: it asks for more regions than the bundle takes.
            FrameError: the image cannot be used.
            EngineError: a network failed.
        """
        if candidate.mode == WHOLE:
            assert self._whole is not None
            return self._whole.segment(frame, candidate.settings.threshold)
        self.segmenter.settings = candidate.settings
        return self.segmenter.segment(frame)

    def close(self) -> None:
        """Close all networks."""
        if self._whole is not None:
            self._whole.close()
        self.segmenter.close()


def score_candidates(
    subject: BundleUnderTest, frames: Iterable[LabelledFrame], candidates: Sequence[Candidate]
) -> list[CandidateScore]:
    """Segment every image in every way.

    Args:
        subject: the opened bundle.
        frames: the labelled images; read once, so they may come from disk one by one.
        candidates: ways to run it.

    Returns:
        One score for each candidate, in order.

    Raises:
        ConfigError: a candidate asks for more regions than the bundle takes.
        DataError: an image cannot be read.
        FrameError: an image cannot be used.
    """
    names: list[str] = []
    scores: list[list[ImageScore]] = [[] for _ in candidates]
    for labelled in frames:
        names.append(labelled.name)
        frame = Frame(image_hwc=labelled.image_hwc)
        truth = prepare_truth(labelled.vehicle_hw)
        for found, candidate in zip(scores, candidates, strict=True):
            found.append(score_image(subject.segment(frame, candidate), truth))
    return [
        CandidateScore(candidate=candidate, names=tuple(names), images=tuple(found))
        for candidate, found in zip(candidates, scores, strict=True)
    ]
