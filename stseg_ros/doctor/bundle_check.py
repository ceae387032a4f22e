"""Whether the bundle is whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from stseg_ros.doctor.finding import Finding, Status, finding_of_error
from stseg_ros.errors import BundleError


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleCheck:
    """Reads the bundle and compares its networks with their recorded hashes.

    Attributes:
        bundle: a shipped name or a folder; None takes the default bundle.
    """

    name: ClassVar[str] = 'bundle'
    title: ClassVar[str] = "the bundle's manifest and the hashes of its networks"
    limit_s: ClassVar[float] = 60.0
    needs: ClassVar[tuple[str, ...]] = ()

    bundle: str | None = None

    def run(self) -> Finding:
        """Read the bundle.

        Returns:
            An error where anything of it is missing or altered.
        """
        from stseg_ros.bundle import DEFAULT_BUNDLE, ModelBundle, find_bundle

        try:
            bundle = ModelBundle.read(find_bundle(self.bundle or DEFAULT_BUNDLE))
        except BundleError as err:
            return finding_of_error(err, 'name a bundle with --bundle, or install stseg_ros again')
        geometry, networks = bundle.geometry, bundle.manifest.networks
        count = 2 if networks.whole is None else 3
        height, width = geometry.working_hw
        recommended = bundle.manifest.recommended
        return Finding(
            status=Status.OK,
            summary=f'{bundle.name}: {count} networks with the recorded hashes, working size '
            f'{width}x{height}, at most {recommended.regions} regions by {recommended.selector}',
            details={'root': str(bundle.root), 'name': bundle.name, 'networks': count},
        )
