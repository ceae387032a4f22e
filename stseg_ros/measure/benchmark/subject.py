"""A bundle, opened in every way that is timed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from stseg_ros.bundle import ModelBundle
from stseg_ros.config import PipelineConfig, SegmenterSettings
from stseg_ros.errors import BundleError
from stseg_ros.measure.benchmark.cameras import CameraCase, CamerasOnOnePair, frames_of_round
from stseg_ros.measure.benchmark.cases import REFERENCE, REFERENCE_TORCH, Case
from stseg_ros.measure.benchmark.reference import LOGITS, ReferenceProcedure
from stseg_ros.measure.benchmark.reference_networks import BackendNetworks
from stseg_ros.measure.benchmark.reference_torch import TorchReference, open_torch_reference
from stseg_ros.measure.benchmark.rounds import Runner
from stseg_ros.measure.benchmark.whole_network import with_whole_network
from stseg_ros.measure.candidates import Candidate
from stseg_ros.measure.evaluate import BundleUnderTest
from stseg_ros.records import Frame, FrameTiming, UInt8Array

OWN, ENLARGED = 'own', 'refine network, enlarged'


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeNetwork:
    """The network of the whole-frame baseline.

    Attributes:
        kind: 'own' from the bundle; 'refine network, enlarged' gives the time of such a network
            but not its masks; None where there is none.
        reason: why there is none.
    """

    kind: str | None
    reason: str = ''


class BenchmarkSubject:
    """A bundle, opened to be timed; `close` frees it.

    Attributes:
        bundle: the bundle, as it was given.
        whole: the baseline.
        references: the published procedure by mode, 'reference' on the pipeline's backend and
            'reference_torch'; those that can run the bundle.
        torch_reference: the published procedure in PyTorch, or why there is none.
        settings: the recommended settings.
        backend: name of the backend, the same for all.
        device: what it runs on.
        backend_note: which backend was taken and why, one line.
    """

    def __init__(self, bundle: ModelBundle, config: PipelineConfig, *, cameras: int = 0) -> None:
        """Open all networks.

        Args:
            bundle: the verified bundle.
            config: backend, threads and precision.
            cameras: the most cameras that one pair of networks is to serve; 0 for none.

        Raises:
            StsegError: a setting does not fit the bundle, or a network does not open.
        """
        self.bundle = bundle
        self.references: dict[str, ReferenceProcedure] = {}
        self.torch_reference = TorchReference()
        self._cameras: CamerasOnOnePair | None = None
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix='stseg_')))
            opened, self.whole = _with_baseline(bundle, folder)
            self._modes = BundleUnderTest(opened, config)
            stack.callback(self._modes.close)
            segmenter = self._modes.segmenter
            self.backend, self.device = segmenter.backend, segmenter.device
            self.backend_note = segmenter.backend_note
            self.settings: SegmenterSettings = self._modes.settings
            if not bundle.geometry.prior:
                self._open_references(stack, config)
            if cameras:
                self._cameras = CamerasOnOnePair(bundle, self.backend, config, cameras)
                stack.callback(self._cameras.close)
            self._closing = stack.pop_all()

    @property
    def notes(self) -> list[str]:
        """What is not as one might expect, for people."""
        notes = []
        if self.whole.kind is None:
            notes.append(f'no whole-frame baseline: {self.whole.reason}')
        elif self.whole.kind == ENLARGED:
            notes.append(
                'the bundle has no whole-frame network: the baseline is its refine network made '
                'to see the whole frame, which has the time of such a network, not its masks'
            )
        if not self.references:
            notes.append('no published procedure: this refine network sees the coarse logits, too')
            return notes
        enlarged_by = self.references[REFERENCE].enlarged_by
        if enlarged_by != 'scikit-image':
            notes.append(
                'scikit-image is not installed: the published procedure enlarges with '
                f'{enlarged_by} instead, which is faster'
            )
        if self.torch_reference.procedure is None:
            notes.append(f'no published procedure in PyTorch: {self.torch_reference.reason}')
        return notes

    def runner(self, case: Case) -> Runner:
        """Return what runs a case.

        Args:
            case: one that this bundle can run.

        Returns:
            Segments a frame and returns the time of its stages.
        """
        if case.mode in self.references:
            return lambda frame: self._published(frame, case)
        settings = dataclasses.replace(self.settings, regions=case.regions)
        candidate = Candidate(mode=case.mode, settings=settings)
        return lambda frame: self._modes.segment(frame, candidate).timing

    def count_regions(self, case: Case, frame: Frame) -> int:
        """Tell how many regions of a frame two stages refine.

        Args:
            case: of two stages.
            frame: the frame.

        Returns:
            At most `case.regions`.
        """
        settings = dataclasses.replace(self.settings, regions=case.regions)
        candidate = Candidate(mode=case.mode, settings=settings)
        return len(self._modes.segment(frame, candidate).selection)

    def camera_runner(self, case: CameraCase, pictures: Sequence[Frame]) -> Runner:
        """Return what runs a round of several cameras.

        Args:
            case: of no more cameras than were asked for.
            pictures: those of which the runner is given one; the other cameras see those after it.

        Returns:
            Segments a frame of every camera and returns the time of the stages, summed.
        """
        cameras = self._cameras
        assert cameras is not None
        settings = dataclasses.replace(self.settings, regions=case.regions)

        def run(frame: Frame) -> FrameTiming:
            frames = frames_of_round(frame, pictures, case.cameras)
            return cameras.serve(frames, case.way, settings).timing

        return run

    def pipeline_mask(self, frame: Frame, regions: int) -> UInt8Array:
        """Segment a frame as the paper merges, by pasting.

        Args:
            frame: the frame.
            regions: regions to refine.

        Returns:
            (H, W) uint8, 255 is vehicle.
        """
        settings = dataclasses.replace(self.settings, regions=regions, fusion='paste')
        candidate = Candidate(mode='two_stage', settings=settings)
        return self._modes.segment(frame, candidate).mask_hw

    def published_mask(
        self, frame: Frame, regions: int, score_space: str = LOGITS, mode: str = REFERENCE
    ) -> UInt8Array:
        """Segment a frame by the published procedure.

        Args:
            frame: the frame.
            regions: regions to refine.
            score_space: see `ReferenceProcedure.segment`.
            mode: a key of `references`.

        Returns:
            (H, W) uint8, 255 is vehicle.
        """
        threshold = self.settings.threshold
        return (
            self.references[mode]
            .segment(frame, regions, threshold=threshold, score_space=score_space)
            .mask_hw
        )

    def close(self) -> None:
        """Close all networks."""
        self._closing.close()

    def _published(self, frame: Frame, case: Case) -> FrameTiming:
        threshold = self.settings.threshold
        procedure = self.references[case.mode]
        return procedure.segment(frame, case.regions, threshold=threshold).timing

    def _open_references(self, stack: ExitStack, config: PipelineConfig) -> None:
        """Open the published procedure on the pipeline's backend, and in PyTorch if it can be."""
        networks = BackendNetworks(self.bundle, self.backend, config)
        stack.callback(networks.close)
        self.references[REFERENCE] = ReferenceProcedure(self.bundle.geometry, networks)
        self.torch_reference = open_torch_reference(self.bundle, self.backend, config.threads)
        if self.torch_reference.procedure is not None:
            stack.callback(self.torch_reference.procedure.close)
            self.references[REFERENCE_TORCH] = self.torch_reference.procedure


def _with_baseline(bundle: ModelBundle, folder: Path) -> tuple[ModelBundle, WholeNetwork]:
    """Add a baseline where there is none and one can be made."""
    if bundle.whole_path is not None:
        return bundle, WholeNetwork(kind=OWN)
    try:
        return with_whole_network(bundle, folder), WholeNetwork(kind=ENLARGED)
    except BundleError as err:
        return bundle, WholeNetwork(kind=None, reason=str(err))
