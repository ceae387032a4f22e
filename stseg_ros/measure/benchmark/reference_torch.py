"""The published procedure as it was published: in PyTorch, float32, with a bundle's own weights.

PyTorch is imported when this is opened, never before, and only for bundles that it can serve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stseg_ros.bundle import ModelBundle
from stseg_ros.engines.tensorrt.library import LIBRARIES
from stseg_ros.errors import BundleError, ConfigError
from stseg_ros.measure.benchmark.reference import ReferenceProcedure
from stseg_ros.measure.benchmark.resources import read_memory


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TorchReference:
    """What became of the attempt to open it.

    Attributes:
        procedure: the procedure; None where there is none.
        reason: why there is none.
        facts: what the times depend on, plain values for JSON: `library`, `arithmetic`, `device`,
            `threads`, `coarse_logits_enlarged_by`, and `memory_mib`, what opening it added to the
            process, the library included; empty where there is none.
    """

    procedure: ReferenceProcedure | None = None
    reason: str = ''
    facts: dict[str, Any] = field(default_factory=dict)


def open_torch_reference(bundle: ModelBundle, backend: str, threads: int) -> TorchReference:
    """Open the procedure on the CPU where that can be done and compared.

    Args:
        bundle: a bundle whose refine network sees nothing but the image.
        backend: what the pipeline runs on, a name in `BACKENDS`.
        threads: CPU threads of PyTorch in this whole process, until it is closed; 0 leaves
            PyTorch's own number.

    Returns:
        The procedure, or the reason why there is none: the pipeline runs on a GPU, PyTorch or onnx
        is not installed, or the bundle does not say what its networks are or is mistaken in it.
    """
    if backend in LIBRARIES:
        return TorchReference(reason=f'it runs on the CPU, where {backend} does not')
    before = read_memory().resident_mib
    try:
        procedure, facts = _open(bundle, threads)
    except (BundleError, ConfigError) as err:
        return TorchReference(reason=str(err))
    facts['memory_mib'] = round(read_memory().resident_mib - before, 1)
    return TorchReference(procedure=procedure, facts=facts)


def _open(bundle: ModelBundle, threads: int) -> tuple[ReferenceProcedure, dict[str, Any]]:
    coarse, refine = _stated(bundle, 'coarse'), _stated(bundle, 'refine')
    try:
        from stseg_ros.networks.architectures import NetworkConfig
        from stseg_ros.networks.published_pair import PublishedPair
        from stseg_ros.networks.stored_weights import load_stored
    except ImportError as err:
        raise BundleError(
            f'PyTorch or onnx is not installed ({err}); pip install -r requirements/train.txt'
        ) from err
    networks = PublishedPair(
        load_stored(bundle.coarse_path, NetworkConfig(**coarse)),
        load_stored(bundle.refine_path, NetworkConfig(**refine)),
        threads=threads,
    )
    procedure = ReferenceProcedure(bundle.geometry, networks)
    return procedure, {
        'library': networks.library,
        'arithmetic': networks.arithmetic,
        'device': 'CPU',
        'threads': networks.threads,
        'coarse_logits_enlarged_by': procedure.enlarged_by,
    }


def _stated(bundle: ModelBundle, stage: str) -> dict[str, Any]:
    """Read architecture and width of a network from what a bundle says for people.

    How it was normalised in training does not matter: exports have that in the convolutions.
    """
    networks = bundle.manifest.provenance.get('networks')
    facts = networks.get(stage) if isinstance(networks, Mapping) else None
    found = {
        name: facts.get(name) if isinstance(facts, Mapping) else None
        for name in ('architecture', 'width')
    }
    if not isinstance(found['architecture'], str) or not isinstance(found['width'], int):
        raise BundleError(
            f'{bundle.name} does not say architecture and width of its {stage} network, in '
            f'provenance.networks.{stage}'
        )
    return found
