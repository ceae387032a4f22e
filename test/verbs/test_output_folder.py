from __future__ import annotations

from pathlib import Path

import pytest

from stseg_ros.errors import ConfigError
from stseg_ros.verbs.output_folder import make_output_folder


def test_missing_folders_are_made_and_present_ones_kept(tmp_path: Path) -> None:
    make_output_folder(tmp_path / 'a' / 'b')
    make_output_folder(tmp_path / 'a' / 'b')
    assert (tmp_path / 'a' / 'b').is_dir()


@pytest.mark.parametrize('name', ['file', 'file/below'])
def test_a_file_in_the_way_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / 'file').write_text('kept')
    with pytest.raises(ConfigError, match=f'{name} cannot be made a folder .* another --output'):
        make_output_folder(tmp_path / name)
    assert (tmp_path / 'file').read_text() == 'kept'
