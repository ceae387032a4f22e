"""Model bundles: a folder with two ONNX networks and everything needed to run them right.

``bundle.yaml`` states the geometry, the recommended settings, where the networks come from, what
they scored, and the SHA-256 of each file, which is checked on every read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stseg_ros.config import RecommendedSettings
from stseg_ros.errors import BundleError, ConfigError
from stseg_ros.locations import data_roots
from stseg_ros.strict_yaml import build_record, read_mapping, shown

SCHEMA = 1
MANIFEST = 'bundle.yaml'
DEFAULT_BUNDLE = 'driving_small'
MOST_FEATURES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Sizes that the networks were trained for.

    Attributes:
        working_hw: every frame is resized to this, (H, W) in pixels.
        coarse_factor: the coarse network sees the working image shrunk by this in each axis.
        grid: rows and columns of regions (the paper's is N_p, N_p).
        max_regions: largest batch of the refine network.
        prior: whether the refine network sees the coarse logits too, see `logit_bytes`.
        prior_features: how many features of the coarse network's decoder it sees besides, F. The
            coarse network then gives (N, 1 + F, h, w): logits, and features on their scale.
    """

    working_hw: tuple[int, int]
    coarse_factor: int
    grid: tuple[int, int]
    max_regions: int
    prior: bool = False
    prior_features: int = 0

    def __post_init__(self) -> None:
        """Check that the sizes fit each other.

        Raises:
            ConfigError: a size is not positive, or one does not divide the other; or there are too
                many features, or some without the logits.
        """
        if not 0 <= self.prior_features <= MOST_FEATURES:
            raise ConfigError(
                f'geometry: prior_features is {self.prior_features}; give 0 to {MOST_FEATURES}'
            )
        if self.prior_features and not self.prior:
            raise ConfigError(
                f'geometry: prior_features is {self.prior_features}, but prior is false; '
                'add prior: true, for features come with the logits'
            )
        sizes = (*self.working_hw, self.coarse_factor, *self.grid, self.max_regions)
        if min(sizes) < 1:
            raise ConfigError('geometry: every size must be 1 or more')
        for axis, working, cells in zip('HW', self.working_hw, self.grid, strict=True):
            if working % (cells * self.coarse_factor):
                raise ConfigError(
                    f'geometry: working {axis} of {working} is not a multiple of '
                    f'{cells} cells x coarse_factor {self.coarse_factor}'
                )

    @property
    def coarse_hw(self) -> tuple[int, int]:
        """Input size of the coarse network."""
        return self.working_hw[0] // self.coarse_factor, self.working_hw[1] // self.coarse_factor

    @property
    def region_hw(self) -> tuple[int, int]:
        """Size of one region in working pixels, the refine network's input."""
        return self.working_hw[0] // self.grid[0], self.working_hw[1] // self.grid[1]

    @property
    def refine_channels(self) -> int:
        """Channels of the refine network's input."""
        return 3 + self.prior + self.prior_features

    @property
    def coarse_output(self) -> tuple[int, ...]:
        """Shape of what the coarse network gives: (1, h, w), or (1, 1 + F, h, w)."""
        planes = (1 + self.prior_features,) if self.prior_features else ()
        return 1, *planes, *self.coarse_hw


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFile:
    """One file of a bundle.

    Attributes:
        file: name inside the bundle's folder.
        sha256: hexadecimal digest of its content.
    """

    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The networks of a bundle.

    Attributes:
        coarse: stage 1.
        refine: stage 2.
        whole: the baseline that `stseg evaluate` compares with, a network of the refine network's
            kind that sees the whole frame at the working size. The node never opens it; None
            where the bundle has none.
    """

    coarse: NetworkFile
    refine: NetworkFile
    whole: NetworkFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedFiles:
    """What was fitted to the networks on held-out images; a bundle may have none of it.

    Attributes:
        merge: the table of fusion 'learned', see `stseg_ros.pipeline.merge_table`.
        selector: the weights of selector 'learned', see `stseg_ros.pipeline.selectors.cell_gain`.
    """

    merge: NetworkFile | None = None
    selector: NetworkFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The content of ``bundle.yaml``.

    Attributes:
        schema: version of this format.
        name: the bundle's name.
        classes: label names by index; the last is the one the mask shows.
        geometry: the sizes the networks were trained for.
        recommended: settings to run it with.
        networks: the ONNX files.
        learned: what fusion and selector 'learned' need.
        provenance: recipe, data, seed and versions, for people.
        scores: what was measured, for people.
    """

    schema: int
    name: str
    classes: tuple[str, ...]
    geometry: Geometry
    recommended: RecommendedSettings
    networks: Networks
    learned: LearnedFiles = LearnedFiles()
    provenance: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBundle:
    """A verified bundle on disk.

    Attributes:
        root: its folder.
        manifest: what its ``bundle.yaml`` says.
    """

    root: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.manifest.name

    @property
    def geometry(self) -> Geometry:
        """The sizes the networks were trained for."""
        return self.manifest.geometry

    @property
    def coarse_path(self) -> Path:
        """The coarse network's ONNX file."""
        return self.root / self.manifest.networks.coarse.file

    @property
    def refine_path(self) -> Path:
        """The refine network's ONNX file."""
        return self.root / self.manifest.networks.refine.file

    @property
    def whole_path(self) -> Path | None:
        """The ONNX file of the whole-frame baseline; None where the bundle has none."""
        whole = self.manifest.networks.whole
        return None if whole is None else self.root / whole.file

    @property
    def merge_path(self) -> Path | None:
        """The table of fusion 'learned'; None where the bundle has none."""
        merge = self.manifest.learned.merge
        return None if merge is None else self.root / merge.file

    @property
    def selector_path(self) -> Path | None:
        """The weights of selector 'learned'; None where the bundle has none."""
        selector = self.manifest.learned.selector
        return None if selector is None else self.root / selector.file

    @classmethod
    def read(cls, root: Path) -> ModelBundle:
        """Read a bundle and verify it.

        Args:
            root: the bundle's folder.

        Returns:
            The bundle.

        Raises:
            BundleError: the folder, its manifest or a network is missing, malformed or altered.
        """
        manifest_path = root / MANIFEST
        if not manifest_path.is_file():
            raise BundleError(f'{root}: is not a bundle, it has no {MANIFEST}')
        try:
            content = read_mapping(manifest_path)
            schema = content.get('schema', SCHEMA)
            if schema != SCHEMA:
                raise ConfigError(
                    f'{manifest_path}: schema is {shown(schema)}; this version reads {SCHEMA}, '
                    'update stseg_ros or export the bundle again'
                )
            manifest = build_record(Manifest, content, str(manifest_path))
        except ConfigError as err:
            message = str(err)
            place = '' if str(manifest_path) in message else f'{manifest_path}: '
            raise BundleError(f'{place}{message}') from err
        bundle = cls(root=root, manifest=manifest)
        bundle.verify()
        return bundle

    def verify(self) -> None:
        """Compare the files with their recorded hashes.

        Raises:
            BundleError: a file is missing or not the one that was recorded.
        """
        networks, learned = self.manifest.networks, self.manifest.learned
        files = networks.coarse, networks.refine, networks.whole, learned.merge, learned.selector
        for network in filter(None, files):
            path = self.root / network.file
            if path.parent != self.root:
                raise BundleError(
                    f'{self.root / MANIFEST}: {shown(network.file)} is not a plain file name'
                )
            try:
                digest = file_sha256(path) if path.is_file() else None
            except OSError as err:
                raise BundleError(f'{path}: cannot be read ({err.strerror})') from err
            if digest is None:
                raise BundleError(f'{path}: is missing; copy or export the whole bundle again')
            if digest != network.sha256.lower():
                raise BundleError(
                    f'{path}: has SHA-256 {digest[:12]}..., {MANIFEST} records '
                    f'{network.sha256[:12]}...; the file was altered or cut short, '
                    'copy or export the bundle again'
                )


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Write ``bundle.yaml`` beside the networks it names.

    Args:
        root: the bundle's folder, which holds the networks already.
        manifest: its content.
    """
    content = _plain(manifest)
    # Innermost lists and mappings, such as a row of scores, take one line each.
    style: dict[str, Any] = {'width': 160, 'default_flow_style': None}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, **style)
    (root / MANIFEST).write_text(text, encoding='utf-8')


def file_sha256(path: Path) -> str:
    """Hash a file.

    Args:
        path: the file.

    Returns:
        The SHA-256 of its content in hexadecimal.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_bundle(name_or_path: str) -> Path:
    """Find a bundle by its folder, or by name among the shipped ones.

    Args:
        name_or_path: a folder, or the name of a folder below a `models` folder.

    Returns:
        The bundle's folder.

    Raises:
        BundleError: there is none of that name; the message lists those there are.
    """
    direct = Path(name_or_path).expanduser()
    if direct.is_absolute() and not direct.is_dir():
        raise BundleError(
            f"{direct}: no such folder; give a bundle's folder, or the name of a shipped bundle"
        )
    if (direct / MANIFEST).is_file() or direct.is_absolute():
        return direct
    shipped = shipped_bundles()
    if name_or_path in shipped:
        return shipped[name_or_path]
    if direct.is_dir():
        return direct
    known = ', '.join(sorted(shipped)) or 'none installed'
    raise BundleError(
        f'{name_or_path!r} is neither a bundle folder nor a shipped bundle ({known})'
    )


def shipped_bundles() -> dict[str, Path]:
    """List the bundles that came with the package.

    Returns:
        Names to folders.
    """
    found: dict[str, Path] = {}
    for root in data_roots():
        for manifest in sorted((root / 'models').glob(f'*/{MANIFEST}')):
            found.setdefault(manifest.parent.name, manifest.parent)
    return found


def _plain(value: Any) -> Any:
    """Turn records and tuples into what YAML writes plainly; optional fields may be left out."""
    if hasattr(value, '__dataclass_fields__'):
        content = {name: getattr(value, name) for name in value.__dataclass_fields__}
        plain = {name: _plain(item) for name, item in content.items() if item is not None}
        return {name: item for name, item in plain.items() if item != {}}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
