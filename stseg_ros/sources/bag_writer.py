"""Writing bags that `ros2 bag` reads from Humble on, with no ROS installed."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer

from stseg_ros.errors import DataError
from stseg_ros.sources.bag_messages import typestore

STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
# The last metadata version in which QoS is text, all that Humble can read.
_METADATA_VERSION: Literal[8] = 8
_FOREVER = QosTime(9223372036, 854775807)
# A reliable publisher serves reliable and best-effort subscribers alike.
_RELIABLE = Qos(
    QosHistory.KEEP_LAST,
    10,
    QosReliability.RELIABLE,
    QosDurability.VOLATILE,
    _FOREVER,
    _FOREVER,
    QosLiveliness.AUTOMATIC,
    _FOREVER,
    False,
)


class BagWriter:
    """Writes one bag; a context manager.

    The bag appears under its name when the `with` block ends. When the block raises, nothing is
    left of it.
    """

    def __init__(self, path: Path, *, storage: str = 'mcap') -> None:
        """Check that the bag can be written.

        Args:
            path: the bag's folder, not existing yet; missing parents are made.
            storage: one of `STORAGES`.

        Raises:
            DataError: the path exists.
        """
        if path.exists():
            raise DataError(f'{path}: exists already; remove it or choose another output')
        self._path = path.absolute()
        self._storage = STORAGES[storage]
        self._connections: dict[str, Connection] = {}
        self._scratch: Path | None = None
        self._writer: Writer | None = None

    def __enter__(self) -> BagWriter:
        """Start writing beside the final place.

        Raises:
            DataError: the folder cannot be written.
        """
        try:
            with self._refusals_as_data_error():
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # The storage file takes its name from its folder, so that has its final name.
                self._scratch = Path(
                    tempfile.mkdtemp(prefix=f'.{self._path.name}.', dir=self._path.parent)
                )
                self._writer = Writer(
                    self._scratch / self._path.name,
                    version=_METADATA_VERSION,
                    storage_plugin=self._storage,
                )
                self._writer.open()
        except DataError:
            self._discard()
            raise
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the bag into its place, or remove what was written of it.

        Raises:
            DataError: the last part cannot be written, or the path exists by now.
        """
        assert self._writer is not None
        try:
            with self._refusals_as_data_error():
                if error_type is None:
                    self._writer.close()
                    self._writer.path.rename(self._path)
                else:
                    self._writer.abort()
        finally:
            self._discard()

    def add_topic(self, topic: str, type_name: str) -> None:
        """Announce a topic; its messages offer reliable QoS.

        Args:
            topic: absolute name, not announced before.
            type_name: such as 'sensor_msgs/msg/Image'.
        """
        assert self._writer is not None
        self._connections[topic] = self._writer.add_connection(
            topic, type_name, typestore=typestore(), offered_qos_profiles=[_RELIABLE]
        )

    def write(self, topic: str, message: Any, *, record_ns: int) -> None:
        """Serialise and append one message.

        Args:
            topic: an announced topic.
            message: a message of that topic's type.
            record_ns: time of recording, ns since the epoch.

        Raises:
            DataError: the disk refuses it.
        """
        type_name = self._connections[topic].msgtype
        self.write_serialized(
            topic, typestore().serialize_cdr(message, type_name), record_ns=record_ns
        )

    def write_serialized(self, topic: str, cdr: bytes | memoryview, *, record_ns: int) -> None:
        """Append one message that is serialised already.

        Args:
            topic: an announced topic.
            cdr: the message in CDR.
            record_ns: time of recording, ns since the epoch.

        Raises:
            DataError: the disk refuses it.
        """
        assert self._writer is not None
        with self._refusals_as_data_error():
            self._writer.write(self._connections[topic], record_ns, cdr)

    def _discard(self) -> None:
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    @contextmanager
    def _refusals_as_data_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # The whole text would name the scratch folder, which the user has never heard of.
            reason = error.strerror or str(error)
            raise DataError(f'{self._path}: cannot be written: {reason}') from error
        except sqlite3.Error as error:
            raise DataError(f'{self._path}: cannot be written: {error}') from error
