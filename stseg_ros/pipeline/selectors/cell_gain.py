"""What refining a cell is expected to gain, from the coarse map alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import yaml

from stseg_ros.errors import BundleError, ConfigError
from stseg_ros.logit_bytes import ZERO, probability
from stseg_ros.pipeline.selectors.doubt import entropy_doubt, margin_doubt
from stseg_ros.records import Float32Array, UInt8Array
from stseg_ros.strict_yaml import build_record, read_mapping

Float64Array = npt.NDArray[np.float64]

# What is known of a cell; the last four are of the three by three cells around, and its place.
FEATURES = (
    'probability',
    'balance',
    'margin',
    'entropy',
    'outline',
    'highest',
    'around_probability',
    'around_margin',
    'row',
    'from_middle',
)
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class CellGain:
    """A linear prediction.

    Attributes:
        weights: of each of `FEATURES`.
        bias: what is added.
    """

    weights: dict[str, float]
    bias: float

    def __post_init__(self) -> None:
        """Check the names.

        Raises:
            ConfigError: a feature is missing or unknown.
        """
        if sorted(self.weights) != sorted(FEATURES):
            raise ConfigError(f'weights: expected one for each of {", ".join(FEATURES)}')

    @classmethod
    def read(cls, path: Path) -> CellGain:
        """Read the weights from a bundle.

        Args:
            path: a file that `write` wrote.

        Returns:
            The prediction.

        Raises:
            BundleError: the file cannot be read or holds something else.
        """
        try:
            return build_record(cls, read_mapping(path), str(path))
        except ConfigError as err:
            message = str(err)
            place = '' if str(path) in message else f'{path}: '
            raise BundleError(f'{place}{message}') from err

    def write(self, path: Path) -> None:
        """Write the weights.

        Args:
            path: a YAML file.
        """
        content = {'weights': self.weights, 'bias': self.bias}
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')

    def predict(self, features: Float64Array) -> Float64Array:
        """Predict gains.

        Args:
            features: (cells, features) float64, see `cell_features`.

        Returns:
            (cells,) float64, the share of a cell's pixels that refinement sets right, less those
            that it sets wrong.
        """
        weights = np.array([self.weights[name] for name in FEATURES])
        gains: Float64Array = features @ weights + self.bias
        return gains


def cell_features(logit_bytes_hw: UInt8Array, grid: tuple[int, int]) -> Float64Array:
    """Describe every cell of the coarse map.

    Args:
        logit_bytes_hw: (h, w) uint8 coarse logits, see `stseg_ros.logit_bytes`.
        grid: rows and columns of cells; both divide the map's size.

    Returns:
        (rows x columns, features) float64 in the order of `FEATURES`, each from 0 to 1, row by
        row.
    """
    rows, columns = grid
    height, width = logit_bytes_hw.shape
    assert (height % rows, width % columns) == (0, 0)

    def means(values_hw: Float32Array) -> Float32Array:
        mean = cv2.resize(values_hw, (columns, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(mean, np.float32)

    def around(values: Float32Array) -> Float32Array:
        return np.asarray(cv2.blur(values, (3, 3), borderType=cv2.BORDER_REPLICATE), np.float32)

    _, label_hw = cv2.threshold(logit_bytes_hw, ZERO, 1, cv2.THRESH_BINARY)
    outline_hw = cv2.morphologyEx(label_hw, cv2.MORPH_GRADIENT, _CROSS)
    parts = logit_bytes_hw.reshape(rows, height // rows, columns, width // columns)
    mean, margin = means(probability(logit_bytes_hw)), means(margin_doubt(logit_bytes_hw))
    row, column = (np.arange(cells) / max(1, cells - 1) for cells in grid)
    features = (
        mean,
        1.0 - np.abs(2.0 * mean - 1.0),
        margin,
        means(entropy_doubt(logit_bytes_hw)),
        means(outline_hw.astype(np.float32)),
        parts.max(axis=(1, 3)) / 255.0,
        around(mean),
        around(margin),
        np.repeat(row[:, None], columns, axis=1),
        np.repeat(np.abs(2.0 * column - 1.0)[None], rows, axis=0),
    )
    return np.stack([np.ravel(one) for one in features], axis=1).astype(np.float64)
