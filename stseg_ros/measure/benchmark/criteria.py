"""What the benchmark was asked to show, in the words it was asked in, and what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stseg_ros.measure.candidates import TWO_STAGE
from stseg_ros.measure.criteria_texts import BEATS, EQUAL_DICE, RESULTS, SPEED

_REFERENCES = """
The reference code runs in PyTorch, in float32, and so does the re-enactment that the words mean,
with the same weights and whatever the pipeline's arithmetic. Its procedure on the pipeline's own
backend has no target: it tells how much of the gain is the procedure, and how much the library.
"""
_ELSEWHERE = """\
Those are on other pages: [frontier](frontier.md) has the first's frontier and the second, [study]\
(study.md) the criteria with their regret and the ablations.
"""

_WHOLE, _PIPELINE = 'faster_than_whole', 'pipeline_over_networks'
_TORCH, _SAME_BACKEND = 'faster_than_reference_torch', 'faster_than_reference'
_MOST_OVER_NETWORKS, _TIMES_WHOLE = 1.15, 4.0
_PAPER_HW = [512, 512]
_TARGETS: tuple[tuple[int, str, float | None], ...] = (
    (4, _WHOLE, 3.4), (4, _TORCH, 6.5), (4, _SAME_BACKEND, None),
    (8, _WHOLE, 5.5), (8, _TORCH, 11.0), (8, _SAME_BACKEND, None),
)  # fmt: skip
_MEANINGS = {
    _WHOLE: 'times faster than the whole frame',
    _TORCH: 'times faster than the reference code, re-enacted in PyTorch',
    _SAME_BACKEND: "times faster than the reference code's procedure on the same backend",
    _PIPELINE: 'times its two network calls',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One figure against its target.

    Attributes:
        subject: which bundle, frames and K.
        what: key of the ratio.
        target: what it should be; None where nothing was asked for.
        ratio: `ratio`, `low` and `high` as they were measured; None where they were not.
    """

    subject: str
    what: str
    target: float | None
    ratio: Mapping[str, float] | None

    @property
    def held(self) -> str:
        """Whether the figure meets the target; the interval is for the reader."""
        if self.ratio is None:
            return 'not measured'
        if self.target is None:
            return ''
        value = self.ratio['ratio']
        met = value <= self.target if self.what == _PIPELINE else value >= self.target
        return 'held' if met else 'not held'

    def line(self) -> str:
        """Write a row of a table."""
        found = ''
        if self.ratio is not None:
            found = '{ratio:.2f} ({low:.2f} to {high:.2f})'.format(**self.ratio)
        bound = 'at most' if self.what == _PIPELINE else 'at least'
        target = '' if self.target is None else f'{bound} {self.target:g}'
        cells = self.subject, _MEANINGS[self.what], target, found, self.held
        return f'| {" | ".join(cells)} |'


def criteria(documents: Sequence[Mapping[str, Any]]) -> str:
    """Hold the benchmarks of some bundles against the criteria.

    Args:
        documents: what `run_benchmark` returned, of each bundle.

    Returns:
        Markdown: each criterion, and what was found.
    """
    return '\n'.join([
        '## What was to be shown\n',
        SPEED,
        *_table([*_paper_findings(documents), *_pipeline_findings(documents)]),
        _REFERENCES,
        EQUAL_DICE,
        *_table(list(_four_times(documents))),
        '',
        'The Dice is in [frontier](frontier.md).\n',
        RESULTS,
        BEATS,
        _ELSEWHERE,
    ])  # fmt: skip


def _paper_findings(documents: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Look for the paper's geometry; what was not measured is said, too."""
    for parts, what, target in _TARGETS:
        found = [
            document
            for document in documents
            if document['geometry']['working_hw'] == _PAPER_HW
            and document['geometry']['grid'] == [parts, parts]
        ]
        subject = f"paper's U-Net, 512x512, N_p = {parts}"
        if not found:
            yield Finding(subject=subject, what=what, target=target, ratio=None)
        for document in found:
            for row in _default_rows(document):
                yield Finding(
                    subject=f'{subject}, K = {row["regions"]}, {_arithmetic(document)}',
                    what=what,
                    target=target,
                    # Figures of before lack the one in PyTorch.
                    ratio=row.get(what),
                )


def _pipeline_findings(documents: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for document in documents:
        for row in _default_rows(document):
            yield Finding(
                subject=_subject(document, row),
                what=_PIPELINE,
                target=_MOST_OVER_NETWORKS,
                ratio=row[_PIPELINE],
            )


def _four_times(documents: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """List the bundles for cameras, whose frames are not the paper's."""
    for document in documents:
        if document['geometry']['working_hw'] != _PAPER_HW:
            for row in _default_rows(document):
                yield Finding(
                    subject=_subject(document, row),
                    what=_WHOLE,
                    target=_TIMES_WHOLE,
                    ratio=row[_WHOLE],
                )


def _default_rows(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Take two stages with the recommended number of regions, at every size."""
    regions = document['settings']['regions']
    return [
        row
        for row in document['results']
        if row['mode'] == TWO_STAGE and row['regions'] == regions
    ]


def _subject(document: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    rows, columns = document['geometry']['grid']
    name = f'{document["bundle"]}, {rows}x{columns} cells'
    return f'{name}, frames of {row["size"]}, K = {row["regions"]}, {_arithmetic(document)}'


def _arithmetic(document: Mapping[str, Any]) -> str:
    """Take what the device's name ends with: 'processor (bf16)'."""
    return str(document['device']).rpartition('(')[2].rstrip(')')


def _table(findings: Sequence[Finding]) -> list[str]:
    return [
        '| of | what | target | found | |',
        '| --- | --- | --- | --- | --- |',
        *(finding.line() for finding in findings),
    ]
