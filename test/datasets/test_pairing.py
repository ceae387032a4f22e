"""Tests of finding and pairing files."""

from __future__ import annotations

from pathlib import Path

import pytest

from stseg_ros.datasets.pairing import fixed_part, name_some, pair_files
from stseg_ros.errors import DataError


def touch(root: Path, *files: str) -> None:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def paired(root: Path, images: str, labels: str) -> list[tuple[str, str, str]]:
    pairs, _ = pair_files(root, images, labels, what='mine', advice='mend it')
    return [
        (
            pair.name,
            pair.image_path.relative_to(root).as_posix(),
            pair.label_path.relative_to(root).as_posix(),
        )
        for pair in pairs
    ]


@pytest.mark.parametrize(
    ('images', 'masks', 'files', 'expected'),
    [
        # Plain folders, any suffix in any case, other files and sub-folders left alone.
        (
            'images',
            'masks',
            'images/b.JPG images/a.png images/notes.txt images/old/c.png masks/a.png masks/b.bmp',
            [('a', 'images/a.png', 'masks/a.png'), ('b', 'images/b.JPG', 'masks/b.bmp')],
        ),
        # Marks around the name.
        (
            'x/*_rgb.png',
            'x/*_mask.png',
            'x/1_rgb.png x/1_mask.png x/2_rgb.png x/2_mask.png',
            [('1', 'x/1_rgb.png', 'x/1_mask.png'), ('2', 'x/2_rgb.png', 'x/2_mask.png')],
        ),
        # Folders per image, as PH2 has them; the name is said once.
        (
            '*/*_Dermoscopic_Image/*.bmp',
            '*/*_lesion/*_lesion.bmp',
            'I1/I1_Dermoscopic_Image/I1.bmp I1/I1_lesion/I1_lesion.bmp',
            [('I1', 'I1/I1_Dermoscopic_Image/I1.bmp', 'I1/I1_lesion/I1_lesion.bmp')],
        ),
        # Sub-folders of any depth, none included; equal names in different ones stay apart.
        (
            'i/**/*',
            'm/**/*',
            'i/c/1.png i/d/x/1.png i/0.png m/c/1.png m/d/x/1.png m/0.png',
            [
                ('0', 'i/0.png', 'm/0.png'),
                ('c_1', 'i/c/1.png', 'm/c/1.png'),
                ('d_x_1', 'i/d/x/1.png', 'm/d/x/1.png'),
            ],
        ),
        # The folder is the name.
        (
            '*/image.png',
            '*/mask.png',
            'a/image.png a/mask.png b/image.png b/mask.png',
            [('a', 'a/image.png', 'a/mask.png'), ('b', 'b/image.png', 'b/mask.png')],
        ),
        # Characters that mean something in regular expressions mean themselves; dots in names.
        (
            'im(1)/*.*',
            'm+',
            'im(1)/a.b.png m+/a.b.png',
            [('a.b', 'im(1)/a.b.png', 'm+/a.b.png')],
        ),
    ],
)
def test_pairs(
    images: str,
    masks: str,
    files: str,
    expected: list[tuple[str, str, str]],
    tmp_path: Path,
) -> None:
    touch(tmp_path, *files.split())
    assert paired(tmp_path, images, masks) == expected


def test_counts_labels_without_image(tmp_path: Path) -> None:
    touch(tmp_path, 'images/a.png', 'masks/a.png', 'masks/b.png', 'masks/c.png')
    assert pair_files(tmp_path, 'images', 'masks', what='mine', advice='mend it')[1] == 2


def test_names_what_was_looked_for_and_found(tmp_path: Path) -> None:
    touch(tmp_path, 'masks/a.png')
    with pytest.raises(DataError) as no_images:
        paired(tmp_path, 'images', 'masks')
    assert str(no_images.value) == (
        'mine: no images; looked for images/* (.png, .jpg, .jpeg, .bmp, .tif, .tiff) in '
        f'{tmp_path} and found 0, and 1 labels; mend it'
    )
    touch(tmp_path, *(f'images/{stem}.jpg' for stem in 'abcdef'))
    with pytest.raises(DataError) as no_labels:
        paired(tmp_path, 'images', 'masks')
    assert str(no_labels.value) == (
        'mine: 5 of 6 images have no label: b, c, d and 2 more; looked for images images/* and '
        f'labels masks/* (.png, .bmp, .tif, .tiff) in {tmp_path}, found 6 and 1, 1 pair; mend it'
    )


def test_lossy_masks_are_no_masks(tmp_path: Path) -> None:
    touch(tmp_path, 'images/a.jpg', 'masks/a.jpg')
    with pytest.raises(DataError, match='1 of 1 images have no label: a'):
        paired(tmp_path, 'images', 'masks')


@pytest.mark.parametrize(
    'files', [['images/a.png', 'images/a.jpg'], ['masks/a.png', 'masks/a.bmp']]
)
def test_the_same_name_twice_is_an_error(files: list[str], tmp_path: Path) -> None:
    touch(tmp_path, 'images/b.png', 'masks/b.png', *files)
    with pytest.raises(DataError, match=r'a\.\w+ and .*a\.\w+ have the same name'):
        paired(tmp_path, 'images', 'masks')


def test_names_that_become_the_same_are_an_error(tmp_path: Path) -> None:
    for folder in ('images', 'masks'):
        touch(tmp_path, f'{folder}/a/b_c.png', f'{folder}/a_b/c.png')
    with pytest.raises(DataError, match='have the same name'):
        paired(tmp_path, 'images/*/*', 'masks/*/*')


@pytest.mark.parametrize(
    ('pattern', 'folder'),
    [('a/b', 'a/b'), ('a/b/', 'a/b'), ('a/b/*.png', 'a/b'), ('a/*/b', 'a'), ('*/b', '.')],
)
def test_fixed_part(pattern: str, folder: str) -> None:
    assert fixed_part(pattern) == folder


def test_names_some() -> None:
    assert name_some(['a', 'b', 'c']) == 'a, b, c'
    assert name_some(['a', 'b', 'c', 'd', 'e']) == 'a, b, c and 2 more'
