"""Tests of the study's sets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stseg_ros.measure.study.sets import HELD_OUT, SETS, StudySet, sets_to_learn_from


def test_every_set_has_its_own_title() -> None:
    assert len({one.title for one in SETS}) == len(SETS)


def test_scenes_are_drawn_when_loaded() -> None:
    (scenes,) = [one for one in SETS if one.dataset == 'synthetic']
    assert len(scenes.load(Path('nowhere'), 7).names) == 7


def test_nothing_is_learned_from_what_is_scored() -> None:
    for scored in SETS:
        used = sets_to_learn_from(scored)
        assert used
        assert scored not in used
        # Held-out images of the same data set are of the same streets.
        if scored.held_out:
            assert scored.dataset not in {one.dataset for one in used}
        else:
            assert used == list(HELD_OUT)
    learned, scored = (
        set(next(one for one in sets if one.dataset == 'synthetic').load(Path(), 10).names)
        for sets in (HELD_OUT, SETS)
    )
    assert not learned & scored


@pytest.mark.parametrize(
    ('only', 'names'),
    [
        ((), ('0001TP_1', '0006R0_1', '0006R0_2')),
        (('0006R0*',), ('0006R0_1', '0006R0_2')),
        (('0006R0_2', '0001*'), ('0001TP_1', '0006R0_2')),
    ],
)
def test_patterns_choose_images(
    tmp_path: Path, only: tuple[str, ...], names: tuple[str, ...]
) -> None:
    for folder in ('train', 'trainannot'):
        (tmp_path / 'camvid' / folder).mkdir(parents=True)
        for name in ('0001TP_1', '0006R0_1', '0006R0_2'):
            shape = (8, 12, 3) if folder == 'train' else (8, 12)
            cv2.imwrite(
                str(tmp_path / 'camvid' / folder / f'{name}.png'), np.zeros(shape, np.uint8)
            )
    one = StudySet(title='some', dataset='camvid', split='train', only=only)
    assert one.load(tmp_path, 1).names == names
