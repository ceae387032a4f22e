"""What the tables show."""

from __future__ import annotations

from typing import Any

from stseg_ros.measure.benchmark.table import format_tables


def row(mode: str, regions: int, size: str = '160x90', **changes: Any) -> dict[str, Any]:
    quantiles = {'p50': 1.25, 'p95': 2.5, 'p99': 3.75}
    return {
        'size': size,
        'mode': mode,
        'regions': regions,
        'ms': quantiles,
        'frames_per_s': 640.0,
        'cpu_ms': 2.0,
        'energy_mj': None,
        'networks_ms': None,
        'pipeline_over_networks': None,
        'faster_than_whole': None,
        'faster_than_reference': None,
        **changes,
    }


def document(*rows: dict[str, Any], masks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        'results': rows,
        'masks': masks,
        'energy': 'not available: no counters',
        'memory_mib': {'measured': 300.0, 'peak': 400.0, 'growth_while_measured': -0.5},
    }


def test_every_size_has_a_table_of_aligned_columns() -> None:
    ratio = {'ratio': 3.0, 'low': 2.5, 'high': 3.5}
    shown = format_tables(
        document(
            row('whole', 0),
            row('two_stage', 8, faster_than_whole=ratio, networks_ms={'p50': 1.0}),
            row('whole', 0, '320x180'),
            masks=[
                {'equal_masks': 1, 'frames': 2, 'dice': 0.98},
                {'equal_masks': 2, 'frames': 2, 'dice': 1.0},
            ],
        )
    )
    tables = shown.split('\n\n')
    assert [table.splitlines()[0] for table in tables[:2]] == ['160x90', '320x180']
    header, whole, two_stage = tables[0].splitlines()[1:4]
    assert len(header) == len(whole) == len(two_stage)
    cells = ' '.join(two_stage.split())
    assert cells == 'two_stage 8 1.25 2.50 3.75 640.0 2.00 1.00 3.00 (2.50 to 3.50)'
    # Columns that no row fills are left out.
    assert 'mJ' not in header
    assert 'reference' not in header
    assert '300 MiB (peak 400), -0.5' in shown
    assert '3 of 4 equal, Dice 0.9800 or better' in shown
    assert 'not available: no counters' in shown


def test_without_reference_nothing_is_said_of_masks() -> None:
    assert 'Dice' not in format_tables(document(row('coarse', 0), masks=[]))
