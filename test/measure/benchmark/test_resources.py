"""Memory and energy, read from files like Linux's."""

from __future__ import annotations

from pathlib import Path

import pytest

from stseg_ros.measure.benchmark.resources import EnergyMeter, EnergyUnknownError, read_memory


def write_zone(root: Path, zone: str, name: str, energy_uj: int) -> Path:
    folder = root / zone
    folder.mkdir(parents=True)
    (folder / 'name').write_text(f'{name}\n')
    (folder / 'energy_uj').write_text(f'{energy_uj}\n')
    (folder / 'max_energy_range_uj').write_text('1000000\n')
    return folder


def test_memory_is_read_in_mebibytes(tmp_path: Path) -> None:
    status = tmp_path / 'status'
    status.write_text('Name:\tpython\nVmHWM:\t    4096 kB\nVmRSS:\t    1536 kB\nThreads:\t3\n')
    memory = read_memory(status)
    assert (memory.resident_mib, memory.peak_mib) == (1.5, 4.0)


def test_the_memory_of_this_process_is_known() -> None:
    memory = read_memory()
    assert 1.0 < memory.resident_mib <= memory.peak_mib


def test_all_processors_count_and_their_parts_do_not(tmp_path: Path) -> None:
    first = write_zone(tmp_path, 'intel-rapl:0', 'package-0', 100)
    write_zone(tmp_path, 'intel-rapl:0:0', 'core', 40)
    second = write_zone(tmp_path, 'intel-rapl:1', 'package-1', 999_950)
    meter = EnergyMeter(tmp_path)
    before = meter.read_uj()
    assert before == (100, 999_950)
    (first / 'energy_uj').write_text('700\n')
    # Over its range of 1,000,000: 50 to the end, 30 after it.
    (second / 'energy_uj').write_text('30\n')
    assert meter.spent_uj(before, meter.read_uj()) == 600 + 80


def test_a_machine_without_counters_says_so(tmp_path: Path) -> None:
    with pytest.raises(EnergyUnknownError, match='no RAPL'):
        EnergyMeter(tmp_path)


def test_a_counter_that_cannot_be_read_says_how_to_mend_it(tmp_path: Path) -> None:
    zone = write_zone(tmp_path, 'intel-rapl:0', 'package-0', 1)
    (zone / 'energy_uj').unlink()
    (zone / 'energy_uj').mkdir()
    with pytest.raises(EnergyUnknownError, match=r'cannot be read .*chmod'):
        EnergyMeter(tmp_path)
