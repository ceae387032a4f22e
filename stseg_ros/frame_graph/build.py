"""Both stages, and all that is between and around them, as one ONNX graph of static shapes.

The arithmetic is that of `stseg_ros.pipeline`, with float32 where the host rounds to bytes: the
sampled pixels (to one of 256 grey levels) and the logits (to 1/16). Logits are cut off where bytes
end, at -8 and 7.9375, so that a sum of two saturates alike. Cells nearly tied may swap.

Only operators that TensorRT knows from 8.6 on are used, in the form that all versions from 13 to
18 of ONNX's operators share; the networks' own operators come on top.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, TensorProto, checker, shape_inference

from stseg_ros.bundle import Geometry, ModelBundle
from stseg_ros.config import LEARNED
from stseg_ros.engines import graph_runner as names
from stseg_ros.engines.graph_runner import FrameGraphSpec
from stseg_ros.errors import BundleError
from stseg_ros.frame_graph.embedding import embed_network, load_network, opset_of
from stseg_ros.frame_graph.graph_writer import GraphWriter
from stseg_ros.frame_graph.resampling import average, resize, resize_to_working, shrink_to_coarse
from stseg_ros.logit_bytes import STEPS_PER_LOGIT, ZERO
from stseg_ros.pipeline.merge_table import LEVELS, MergeTable

_LOWEST_LOGIT = -ZERO / STEPS_PER_LOGIT
_HIGHEST_LOGIT = (255 - ZERO) / STEPS_PER_LOGIT


def build_frame_graph(bundle: ModelBundle, spec: FrameGraphSpec) -> bytes:
    """Write the graph of one frame size.

    Its inputs and outputs are those of `stseg_ros.engines.graph_runner`.

    Args:
        bundle: the verified bundle.
        spec: what is fixed in the graph; `regions` is at most the number of cells.

    Returns:
        The ONNX model, serialised; equal arguments give equal bytes.

    Raises:
        BundleError: the networks do not fit the geometry, or cannot be joined.
    """
    geometry = bundle.geometry
    coarse = load_network(bundle.coarse_path, (1, *geometry.coarse_hw, 3), geometry.coarse_output)
    regions = (max(1, spec.regions), *geometry.region_hw)
    refine = load_network(bundle.refine_path, (*regions, geometry.refine_channels), regions)
    if opset_of(coarse) != opset_of(refine):
        raise BundleError(
            f'{bundle.root}: the coarse network uses version {opset_of(coarse)} of the ONNX '
            f'operators, the refine network {opset_of(refine)}; export both in one go'
        )
    path = bundle.merge_path if spec.fusion == LEARNED else None
    table = None if path is None else MergeTable.read(path)
    graph = _FrameGraph(geometry, spec, coarse, refine, table)
    graph.write()
    model = graph.writer.model(
        'frame', opset=opset_of(coarse), ir_version=max(coarse.ir_version, refine.ir_version)
    )
    try:
        checker.check_model(model, full_check=True)
    except (checker.ValidationError, shape_inference.InferenceError) as err:
        reason = str(err).strip().splitlines()[0]
        raise BundleError(
            f'{bundle.root}: the networks cannot be joined into one graph: {reason}'
        ) from err
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """The cells to refine: their scores and numbers, (K,) float32 and int64."""

    scores: str
    cells: str


class _FrameGraph:
    """Writes the stages one after the other; tensors are passed by name."""

    def __init__(
        self,
        geometry: Geometry,
        spec: FrameGraphSpec,
        coarse: ModelProto,
        refine: ModelProto,
        table: MergeTable | None,
    ) -> None:
        self.writer = GraphWriter()
        self._geometry = geometry
        self._spec = spec
        self._coarse = coarse
        self._refine = refine
        self._table = table

    def write(self) -> None:
        """Write inputs, stages and outputs."""
        graph, camera_hw = self.writer, self._spec.camera_hw
        frame = graph.input(names.FRAME, TensorProto.UINT8, (*camera_hw, 3))
        graph.input(names.CHANNELS, TensorProto.INT32, (3,))
        graph.input(names.THRESHOLD, TensorProto.FLOAT, (1,))
        # The cast comes first, because TensorRT knows uint8 only at a graph's borders.
        real = graph.node('Cast', frame, to=TensorProto.FLOAT)
        planes = graph.node(
            'Transpose', graph.reshape(real, (1, *camera_hw, 3)), perm=[0, 3, 1, 2]
        )

        coarse_map, features = self._run_coarse(planes)
        scores = self._score_cells(coarse_map)
        graph.output(names.SCORES, scores, TensorProto.FLOAT, (self._cells,))
        geometry = self._geometry
        fused_map = resize(graph, coarse_map, geometry.coarse_hw, geometry.working_hw, 1)
        if self._spec.regions:
            chosen = self._choose(scores)
            graph.output(names.CHOSEN, chosen.cells, TensorProto.INT32, (self._spec.regions,))
            fused_map = self._refine_cells(planes, fused_map, features, chosen)
        self._write_maps(fused_map)

    @property
    def _cells(self) -> int:
        return self._geometry.grid[0] * self._geometry.grid[1]

    def _run_coarse(self, planes: str) -> tuple[str, str]:
        """Stage 1: (1, 3, H, W) pixels to (1, 1, h, w) logits, and (1, F, h, w) features or ''."""
        graph, coarse_hw = self.writer, self._geometry.coarse_hw
        small = shrink_to_coarse(graph, planes, self._spec.camera_hw, coarse_hw)
        output = embed_network(graph, self._coarse, 'coarse', self._as_batch(small))
        output = self._cut_off(output)
        count = self._geometry.prior_features
        if not count:
            return graph.reshape(output, (1, 1, *coarse_hw)), ''
        return self._planes(output, 0, 1), self._planes(output, 1, 1 + count)

    def _score_cells(self, coarse_map: str) -> str:
        """Confidence of each cell, (cells,): see `stseg_ros.pipeline.selectors.grid`."""
        graph, (rows, columns) = self.writer, self._geometry.grid
        height, width = self._geometry.coarse_hw
        probability = graph.node('Sigmoid', coarse_map)
        mean = average(graph, probability, (height // rows, width // columns))
        balance = graph.node('Sub', self._times(mean, 2.0), graph.constant(1.0, np.float32))
        return graph.reshape(graph.node('Abs', balance), (self._cells,))

    def _choose(self, scores: str) -> _Chosen:
        """Take the K least confident cells, in order."""
        graph = self.writer
        count = graph.constant([self._spec.regions], np.int64)
        lowest, cells = graph.nodes('TopK', 2, scores, count, axis=0, largest=0, sorted=1)
        return _Chosen(scores=lowest, cells=cells)

    def _refine_cells(self, planes: str, coarse_map: str, features: str, chosen: _Chosen) -> str:
        """Stage 2 on the chosen cells, merged into the map at the working size, (1, 1, h, w)."""
        graph, count = self.writer, self._spec.regions
        height, width = self._geometry.region_hw
        working = resize_to_working(graph, planes, self._spec.camera_hw, self._geometry.working_hw)
        pixels = graph.node('Gather', self._split(working, 3), chosen.cells, axis=0)
        coarse_cells = graph.reshape(self._split(coarse_map, 1), (self._cells, height, width))
        coarse = graph.node('Gather', coarse_cells, chosen.cells, axis=0)
        priors = []
        if self._geometry.prior:
            priors.append(graph.reshape(self._to_bytes(coarse), (count, 1, height, width)))
        if features:
            priors.append(self._to_bytes(self._features_of(features, chosen)))
        batch = self._as_batch(pixels, *priors)
        refined = self._cut_off(embed_network(graph, self._refine, 'refine', batch))
        merged = self._merge(coarse, refined)

        limit = graph.input(names.REFINE_BELOW, TensorProto.FLOAT, (1,))
        doubtful = graph.node('Less', graph.reshape(chosen.scores, (count, 1, 1)), limit)
        merged = graph.node('Where', doubtful, merged, coarse)
        places = graph.reshape(chosen.cells, (count, 1))
        return self._join(graph.node('ScatterND', coarse_cells, places, merged))

    def _features_of(self, features: str, chosen: _Chosen) -> str:
        """Cut the features of the chosen cells, (K, F, h, w), out of those of the frame."""
        graph, geometry = self.writer, self._geometry
        count = geometry.prior_features
        enlarged = resize(graph, features, geometry.coarse_hw, geometry.working_hw, count)
        return graph.node('Gather', self._split(enlarged, count), chosen.cells, axis=0)

    def _merge(self, coarse: str, refined: str) -> str:
        """Merge logits of the same cells: see `stseg_ros.pipeline.fuse`."""
        if self._spec.fusion == 'add':
            return self._cut_off(self.writer.node('Add', coarse, refined))
        if self._spec.fusion == 'max':
            return self.writer.node('Max', coarse, refined)
        if self._spec.fusion == LEARNED:
            return self._look_up(coarse, refined)
        assert self._spec.fusion == 'paste'
        return refined

    def _look_up(self, coarse: str, refined: str) -> str:
        """Look merged logits up, by logits rounded to bytes as on the host."""
        assert self._table is not None
        graph = self.writer
        row, column = (
            graph.node('Cast', graph.node('Round', self._to_bytes(logits)), to=TensorProto.INT32)
            for logits in (coarse, refined)
        )
        # Whole numbers, because FP16, which TensorRT may take for others, ends before 65535.
        place = graph.node('Add', graph.node('Mul', row, graph.constant(LEVELS, np.int32)), column)
        merged = (self._table.bytes_cr.ravel().astype(np.float32) - ZERO) / STEPS_PER_LOGIT
        table = graph.constant(merged, np.float32)
        return graph.node('Gather', table, place)

    def _write_maps(self, fused_map: str) -> None:
        """Write what is seen of the fused map: the mask, and the map itself."""
        graph, geometry, camera_hw = self.writer, self._geometry, self._spec.camera_hw
        logits = resize(graph, fused_map, geometry.working_hw, camera_hw, 1)
        vehicle = graph.node('Greater', logits, names.THRESHOLD)
        white, black = (graph.constant(grey, np.float32) for grey in (255.0, 0.0))
        mask = graph.node('Where', vehicle, white, black)
        graph.output(names.MASK, mask, TensorProto.UINT8, camera_hw)
        rounded = graph.node('Round', self._to_bytes(fused_map))
        graph.output(names.LOGIT_BYTES, rounded, TensorProto.UINT8, geometry.working_hw)

    def _as_batch(self, pixels_nchw: str, *priors_nchw: str) -> str:
        """Bring pixels in the camera's channel order into a network's input form."""
        graph = self.writer
        # After the frame was shrunk or cut, where there is least to reorder.
        batch = graph.node('Gather', pixels_nchw, names.CHANNELS, axis=1)
        if priors_nchw:
            batch = graph.node('Concat', batch, *priors_nchw, axis=1)
        return graph.node('Transpose', batch, perm=[0, 2, 3, 1])

    def _split(self, planes: str, channels: int) -> str:
        """Cut (1, C, h, w) at the working size into (cells, C, h, w)."""
        graph, (rows, columns) = self.writer, self._geometry.grid
        height, width = self._geometry.region_hw
        grid = graph.reshape(planes, (channels, rows, height, columns, width))
        grid = graph.node('Transpose', grid, perm=[1, 3, 0, 2, 4])
        return graph.reshape(grid, (self._cells, channels, height, width))

    def _join(self, cells: str) -> str:
        """Put (cells, h, w) together to (1, 1, h, w) at the working size."""
        graph, (rows, columns) = self.writer, self._geometry.grid
        height, width = self._geometry.region_hw
        grid = graph.reshape(cells, (rows, columns, height, width))
        grid = graph.node('Transpose', grid, perm=[0, 2, 1, 3])
        return graph.reshape(grid, (1, 1, *self._geometry.working_hw))

    def _planes(self, source: str, first: int, end: int) -> str:
        """Take some of the channels of (N, C, h, w)."""
        # First, end and axis.
        slicing = [self.writer.constant([value], np.int64) for value in (first, end, 1)]
        return self.writer.node('Slice', source, *slicing)

    def _cut_off(self, logits: str) -> str:
        """Limit logits to what bytes can hold."""
        graph = self.writer
        lowest = graph.constant(_LOWEST_LOGIT, np.float32)
        return graph.node('Clip', logits, lowest, graph.constant(_HIGHEST_LOGIT, np.float32))

    def _to_bytes(self, logits: str) -> str:
        """Bring logits to the scale of `stseg_ros.logit_bytes`, without rounding."""
        zero = self.writer.constant(ZERO, np.float32)
        return self.writer.node('Add', self._times(logits, STEPS_PER_LOGIT), zero)

    def _times(self, values: str, factor: float) -> str:
        return self.writer.node('Mul', values, self.writer.constant(factor, np.float32))
