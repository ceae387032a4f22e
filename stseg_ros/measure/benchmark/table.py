"""The tables of a benchmark, for terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stseg_ros.config import GRID

_HEADER = (
    'mode', 'K', 'refined', 'p50', 'p95', 'p99', 'frames/s', 'CPU ms', 'mJ', 'networks',
    'x networks', 'x faster than whole', 'x faster than reference',
    'x faster than reference_torch',
)  # fmt: skip
_CAMERA_HEADER = (
    'cameras', 'served', 'p50', 'p95', 'p99', 'ms a frame', 'frames/s', 'CPU ms a frame',
    'frame x one camera', 'x faster than in turn',
)  # fmt: skip
CAMERA_LEGEND = """\
one pair of networks for all cameras; p50, p95, p99: ms per round, one frame of each camera; in
turn: as the node on a CPU, a camera waits for those before it; joined: stage 2 in one batch"""
LEGEND = """\
K: regions refined per frame, by the pipeline at most; refined: their mean, where it differs; p50,
p95, p99: ms per frame, decoded image to mask; networks: ms of the network calls alone; x networks:
what the pipeline costs, as a multiple of them; ratios of medians, with 95 % intervals; reference:
the published procedure with the same networks, on the same backend"""


def format_tables(document: Mapping[str, Any]) -> str:
    """Lay out the results, one table for each frame size.

    Args:
        document: what `run_benchmark` returned.

    Returns:
        Lines of aligned columns, without a newline at the end.
    """
    rows = document['results']
    sizes = list(dict.fromkeys(row['size'] for row in rows))
    tables = [f'{size}\n{_table([row for row in rows if row["size"] == size])}' for size in sizes]
    return '\n\n'.join([*tables, LEGEND, *_cameras(document['cameras']), *_sums(document)])


def _cameras(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lay out several cameras; nothing where none were timed."""
    if not rows:
        return []
    title = f'several cameras, {rows[0]["size"]}, K = {rows[0]["regions"]}'
    lines = [
        (
            str(row['cameras']),
            # Of one camera there is no order.
            str(row['way']) if row['cameras'] > 1 else '',
            *(f'{row["round_ms"][name]:.2f}' for name in ('p50', 'p95', 'p99')),
            f'{row["frame_ms"]:.2f}',
            f'{row["frames_per_s"]:.1f}',
            f'{row["cpu_ms"]:.2f}',
            _ratio(row['frame_over_one_camera']),
            _ratio(row['faster_than_in_turn']),
        )
        for row in rows
    ]
    return [f'{title}\n{_aligned(_CAMERA_HEADER, lines)}', CAMERA_LEGEND]


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    return _aligned(_HEADER, [_cells(row) for row in rows])


def _aligned(header: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Align columns; what no row has is left out."""
    lines = [header, *cells]
    columns = [index for index in range(len(header)) if any(line[index] for line in cells)]
    widths = {index: max(len(line[index]) for line in lines) for index in columns}
    return '\n'.join(
        '  '.join(
            line[index].ljust(widths[index]) if index == 0 else line[index].rjust(widths[index])
            for index in columns
        )
        for line in lines
    )


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    networks = row['networks_ms']
    return (
        str(row['mode']),
        str(row['regions'] or ''),
        _refined(row),
        *(f'{row["ms"][name]:.2f}' for name in ('p50', 'p95', 'p99')),
        f'{row["frames_per_s"]:.1f}',
        f'{row["cpu_ms"]:.2f}',
        '' if row['energy_mj'] is None else f'{row["energy_mj"]:.0f}',
        '' if networks is None else f'{networks["p50"]:.2f}',
        _ratio(row['pipeline_over_networks']),
        _ratio(row['faster_than_whole']),
        _ratio(row['faster_than_reference']),
        # Files of before have none.
        _ratio(row.get('faster_than_reference_torch')),
    )


def _refined(row: Mapping[str, Any]) -> str:
    """Tell how many regions were refined on average, where that is not K."""
    # Files of before have none.
    mean = row.get('mean_regions', row['regions'])
    return '' if mean == row['regions'] else f'{mean:.1f}'


def _ratio(ratio: Mapping[str, float] | None) -> str:
    if ratio is None:
        return ''
    return f'{ratio["ratio"]:.2f} ({ratio["low"]:.2f} to {ratio["high"]:.2f})'


def _sums(document: Mapping[str, Any]) -> list[str]:
    """Write what concerns all rows."""
    memory = document['memory_mib']
    held, peak, growth = (memory[name] for name in ('measured', 'peak', 'growth_while_measured'))
    torch = document.get('reference_torch')
    lines = [
        f'memory of all together: {held:.0f} MiB (peak {peak:.0f}), {growth:+.1f} while measured',
        f'energy: {document["energy"]}',
    ]
    if torch:
        lines.append(
            f'reference_torch: that procedure as it was published, in {torch["library"]}, '
            f'{torch["arithmetic"]}, threads of the {torch["device"]}: {torch["threads"]}; '
            f'{torch["memory_mib"]:.0f} MiB of that memory'
        )
    masks = document['masks']
    if masks:
        least = min(masks, key=lambda row: float(row['dice']))
        equal, frames = (sum(row[name] for row in masks) for name in ('equal_masks', 'frames'))
        lines.append(
            f'masks of pipeline and reference, both pasting {_alike(document["selector"])}: '
            f'{equal} of {frames} equal, Dice {least["dice"]:.4f} or better'
        )
        if torch:
            least_alike = min(row['dice_of_references'] for row in masks)
            lines.append(
                'masks of reference and reference_torch, both ranking by probability: Dice '
                f'{least_alike:.4f} or better'
            )
    return lines


def _alike(selector: str) -> str:
    """Say what the pipeline and the published procedure have in common, and what not."""
    if selector == GRID:
        return 'and ranking by probability, but shrinking frames differently'
    return f'but choosing other regions, {selector} and cells of the grid'
