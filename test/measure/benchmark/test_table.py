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
        'faster_than_reference_torch': None,
        **changes,
    }


def document(
    *rows: dict[str, Any], masks: list[dict[str, Any]], cameras: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        'cameras': cameras or [],
        'results': rows,
        'masks': masks,
        'selector': 'grid',
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


def test_fewer_regions_than_allowed_are_told() -> None:
    made = document(row('two_stage', 8, mean_regions=5.25), row('two_stage', 2), masks=[])
    header, fewer, as_many = format_tables(made).splitlines()[1:4]
    assert header.split()[:3] == ['mode', 'K', 'refined']
    assert fewer.split()[:4] == ['two_stage', '8', '5.2', '1.25']
    assert as_many.split()[:3] == ['two_stage', '2', '1.25']


def test_other_selectors_choose_other_regions_than_the_published_procedure() -> None:
    masks = [{'equal_masks': 0, 'frames': 2, 'dice': 0.9}]
    made = {**document(row('coarse', 0), masks=masks), 'selector': 'components'}
    text = (
        'both pasting but choosing other regions, components and cells of the grid: 0 of 2 equal'
    )
    assert text in format_tables(made)
    assert 'both pasting and ranking by probability, but' in format_tables(
        {**made, 'selector': 'grid'}
    )


def test_without_reference_nothing_is_said_of_masks() -> None:
    assert 'Dice' not in format_tables(document(row('coarse', 0), masks=[]))


TORCH = {
    'library': 'PyTorch 2.13.0+cpu',
    'arithmetic': 'float32',
    'device': 'CPU',
    'threads': 2,
    'memory_mib': 250.4,
}


def test_pytorch_has_a_column_and_its_circumstances() -> None:
    ratio = {'ratio': 7.0, 'low': 6.5, 'high': 7.5}
    masks = [
        {'equal_masks': 1, 'frames': 2, 'dice': 0.98, 'dice_of_references': 0.997},
        {'equal_masks': 2, 'frames': 2, 'dice': 1.0, 'dice_of_references': 0.0},
    ]
    made = document(
        row('two_stage', 8, faster_than_reference_torch=ratio),
        row('reference_torch', 8),
        masks=masks,
    )
    shown = format_tables({**made, 'reference_torch': TORCH})
    header, two_stage, published = shown.split('\n\n')[0].splitlines()[1:4]
    assert header.endswith('x faster than reference_torch')
    assert two_stage.endswith('7.00 (6.50 to 7.50)')
    assert published.startswith('reference_torch  8')
    assert (
        'reference_torch: that procedure as it was published, in PyTorch 2.13.0+cpu, float32, '
        'threads of the CPU: 2; 250 MiB of that memory'
    ) in shown
    alike = 'masks of reference and reference_torch, both ranking by probability: Dice 0.0000'
    assert f'{alike} or better' in shown


def test_figures_of_before_have_no_such_column() -> None:
    old = row('two_stage', 8)
    del old['faster_than_reference_torch']
    shown = format_tables(document(old, masks=[{'equal_masks': 1, 'frames': 2, 'dice': 0.98}]))
    assert 'x faster than reference_torch' not in shown
    assert 'masks of reference and reference_torch' not in shown


def test_cameras_have_a_table_of_their_own() -> None:
    ratio = {'ratio': 1.1, 'low': 1.0, 'high': 1.2}
    usual = {
        'size': '160x90',
        'regions': 8,
        'round_ms': {'p50': 4.0, 'p95': 5.0, 'p99': 6.0},
        'frame_ms': 2.0,
        'frames_per_s': 500.0,
        'cpu_ms': 3.0,
        'frame_over_one_camera': None,
        'faster_than_in_turn': None,
    }
    cameras = [
        {**usual, 'cameras': 1, 'way': 'in turn'},
        {**usual, 'cameras': 2, 'way': 'in turn', 'frame_over_one_camera': ratio},
        {**usual, 'cameras': 2, 'way': 'joined', 'faster_than_in_turn': ratio},
    ]
    shown = format_tables(document(row('coarse', 0), masks=[], cameras=cameras))
    (table,) = (part for part in shown.split('\n\n') if part.startswith('several cameras'))
    title, header, alone, in_turn, joined = table.splitlines()
    assert title == 'several cameras, 160x90, K = 8'
    assert len(header) == len(alone) == len(in_turn) == len(joined)
    assert alone.split() == ['1', '4.00', '5.00', '6.00', '2.00', '500.0', '3.00']
    assert ' '.join(in_turn.split()).startswith('2 in turn 4.00')
    assert ' '.join(in_turn.split()).endswith('3.00 1.10 (1.00 to 1.20)')
    assert 'joined' in joined
    assert 'several cameras' not in format_tables(document(row('coarse', 0), masks=[]))
