"""Polygon meshes: what vehicle bodies are built from.

Vehicle axes: x forward, y left, z up, metres, origin on the ground under the middle of the body.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from stseg_ros.datasets.synthetic.camera import Float64Array

Span = tuple[float, float]


class Material(IntEnum):
    """What a polygon is made of; the renderer gives each its colour and gloss."""

    PAINT = 0
    GLASS = 1
    DARK = 2
    TYRE = 3
    RIM = 4
    TAIL_LAMP = 5
    HEAD_LAMP = 6
    PLATE = 7
    LOAD = 8
    UNDERSIDE = 9
    STRIPE = 10
    REFLECTION = 11
    INTERIOR = 12
    SEAM = 13
    CHROME = 14


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VehicleMesh:
    """A closed body of convex polygons.

    Attributes:
        vertices_xyz: (V, 3) vehicle coordinates in metres, one polygon's corners after another's.
        starts: (F + 1,) where each polygon's corners begin.
        normals_xyz: (F, 3) outward unit normals.
        centroids_xyz: (F, 3) polygon centres.
        material: (F,) Material codes.
        part: (F,) painting order; part 0 is painted first.
        layer: (F,) painting order inside a part.
        detail: (F,) bool; small things that only matter from near.
        sort_parts: whether the parts above 0 have to be ordered by distance.
        size_lwh: length, width and height in metres.
    """

    vertices_xyz: Float64Array
    starts: npt.NDArray[np.intp]
    normals_xyz: Float64Array
    centroids_xyz: Float64Array
    material: npt.NDArray[np.intp]
    part: npt.NDArray[np.intp]
    layer: npt.NDArray[np.intp]
    detail: npt.NDArray[np.bool_]
    sort_parts: bool
    size_lwh: tuple[float, float, float]


class MeshBuilder:
    """Collects polygons; each is turned so that its normal points away from the body.

    Attributes:
        part: painting order of the polygons that are added next.
        rng: draws the details.
    """

    def __init__(self, part: int, rng: np.random.Generator) -> None:
        """Start with an empty mesh."""
        self.part = part
        self.rng = rng
        self._polygons: list[Float64Array] = []
        self._normals: list[Float64Array] = []
        self._codes: list[tuple[int, int, int, bool]] = []

    def polygon(
        self,
        points: npt.ArrayLike,
        outward: npt.ArrayLike,
        material: Material,
        *,
        layer: int = 0,
        part: int | None = None,
        detail: bool = False,
    ) -> None:
        """Add a convex polygon; one without area is left out.

        Args:
            points: (N, 3) corners in order.
            outward: any vector on the outer side; it only settles the sign of the normal.
            material: what it is made of.
            layer: painting order inside the part.
            part: painting order; None takes the current part.
            detail: whether it may be left out from afar.
        """
        corners = np.asarray(points, dtype=np.float64)
        third = max(1, len(corners) // 3)
        normal = np.cross(corners[third] - corners[0], corners[2 * third] - corners[0])
        length = float(np.linalg.norm(normal))
        if length < 1e-9:
            return
        normal = normal / length
        if float(normal @ np.asarray(outward, dtype=np.float64)) < 0:
            normal, corners = -normal, corners[::-1]
        self._polygons.append(corners)
        self._normals.append(normal)
        self._codes.append((int(material), self.part if part is None else part, layer, detail))

    def end_patch(
        self,
        x: float,
        y_range: Span,
        z_range: Span,
        material: Material,
        *,
        layer: int = 1,
        detail: bool = False,
    ) -> None:
        """Add a rectangle across the vehicle, such as a lamp, facing forward for x > 0."""
        (y0, y1), (z0, z1) = y_range, z_range
        quad = [(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)]
        self.polygon(quad, (x, 0, 0), material, layer=layer, detail=detail)

    def side_patch(
        self,
        y: float,
        x_range: Span,
        z_range: Span,
        material: Material,
        *,
        layer: int = 1,
        detail: bool = False,
    ) -> None:
        """Add a rectangle along the vehicle, facing left for y > 0."""
        (x0, x1), (z0, z1) = x_range, z_range
        quad = [(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)]
        self.polygon(quad, (0, y, 0), material, layer=layer, detail=detail)

    def box(
        self,
        x_range: Span,
        y_range: Span,
        z_range: Span,
        material: Material,
        *,
        part: int | None = None,
    ) -> None:
        """Add the six sides of a box."""
        (x0, x1), (y0, y1), (z0, z1) = sorted(x_range), sorted(y_range), sorted(z_range)
        for x, out in ((x0, -1), (x1, 1)):
            quad = [(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)]
            self.polygon(quad, (out, 0, 0), material, part=part)
        for y, out in ((y0, -1), (y1, 1)):
            quad = [(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)]
            self.polygon(quad, (0, out, 0), material, part=part)
        for z, out in ((z0, -1), (z1, 1)):
            quad = [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]
            self.polygon(quad, (0, 0, out), material, part=part)

    def finish(
        self, *, size_lwh: tuple[float, float, float], sort_parts: bool = False
    ) -> VehicleMesh:
        """Return the finished mesh.

        Args:
            size_lwh: length, width and height in metres.
            sort_parts: whether the parts above 0 have to be ordered by distance.
        """
        counts = [len(polygon) for polygon in self._polygons]
        codes = np.array(self._codes, dtype=np.intp)
        return VehicleMesh(
            vertices_xyz=np.concatenate(self._polygons),
            starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.intp),
            normals_xyz=np.array(self._normals),
            centroids_xyz=np.array([polygon.mean(axis=0) for polygon in self._polygons]),
            material=codes[:, 0],
            part=codes[:, 1],
            layer=codes[:, 2],
            detail=codes[:, 3].astype(bool),
            sort_parts=sort_parts,
            size_lwh=size_lwh,
        )
