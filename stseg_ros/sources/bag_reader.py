"""Reading bags of either storage, with no ROS installed."""

from __future__ import annotations

import struct
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import apsw
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.serde import SerdeError

from stseg_ros.errors import DataError, FrameError
from stseg_ros.sources.bag_messages import IMAGE_TYPES, typestore

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError
else:
    from backports.zstd import ZstdError

# What rosbags lets through when a file is cut off or damaged, beside its own errors.
_DAMAGE = (
    ReaderError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    RuntimeError,
    ArithmeticError,
    MemoryError,
    EOFError,
    struct.error,
    apsw.Error,
    ZstdError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BagTopic:
    """One topic of a bag.

    Attributes:
        name: absolute name.
        type_name: such as 'sensor_msgs/msg/Image'.
        count: number of messages.
    """

    name: str
    type_name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BagMessage:
    """One recorded message.

    Attributes:
        topic: absolute name.
        type_name: such as 'sensor_msgs/msg/Image'.
        record_ns: time of recording, ns since the epoch.
        cdr: the serialised message, as rclpy publishes it too.
    """

    topic: str
    type_name: str
    record_ns: int
    cdr: bytes

    def deserialize(self) -> Any:
        """Make the message object; large arrays are read-only views of `cdr`.

        Raises:
            FrameError: the bytes are not a message of this type, or the type is not known.
        """
        try:
            return typestore().deserialize_cdr(self.cdr, self.type_name)
        except (SerdeError, KeyError, struct.error) as error:
            raise FrameError(
                f'message on {self.topic} cannot be read as {self.type_name}: {error}'
            ) from error


class BagReader:
    """Reads one bag; a context manager.

    Attributes:
        path: the bag.
        topics: its topics, by name.
        storage: 'mcap' or 'sqlite3'.
        message_count: messages of all topics.
        start_ns: record time of the first message; 0 in an empty bag.
        duration_ns: from the first to the last message.
    """

    def __init__(self, path: Path) -> None:
        """Open the bag.

        Args:
            path: the bag's folder, or a single .mcap or .db3 file.

        Raises:
            DataError: there is no such bag, or it is incomplete or damaged.
        """
        self.path = path
        _check_is_bag(path)
        with _damage_as_data_error(path):
            self._reader = Reader(path)
            self._reader.open()
            self.topics = tuple(
                BagTopic(name=name, type_name=info.msgtype or '', count=info.msgcount)
                for name, info in sorted(self._reader.topics.items())
            )
            files = [path] if path.is_file() else list(path.iterdir())
            self.storage = 'mcap' if any('.mcap' in file.name for file in files) else 'sqlite3'
            self.message_count = self._reader.message_count
            empty = not self.message_count
            self.start_ns = 0 if empty else self._reader.start_time
            # rosbags counts to just after the last message.
            self.duration_ns = 0 if empty else self._reader.duration - 1

    def __enter__(self) -> BagReader:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the bag."""
        self.close()

    def close(self) -> None:
        """Close the bag; a second call does nothing."""
        if self._reader.is_open:
            self._reader.close()

    def messages(self, topics: Collection[str] = ()) -> Iterator[BagMessage]:
        """Read messages in the order of their record times.

        Args:
            topics: names of the topics to read; none means all.

        Yields:
            The messages.

        Raises:
            DataError: a topic is not in the bag, or the bag is damaged from here on.
        """
        known = {topic.name for topic in self.topics}
        for topic in topics:
            if topic not in known:
                raise DataError(f'{self.path}: no topic {topic}; {self._list_topics()}')
        chosen = [
            connection
            for connection in self._reader.connections
            if not topics or connection.topic in topics
        ]
        if not chosen:
            return
        with _damage_as_data_error(self.path):
            stream = self._reader.messages(chosen)
        while True:
            with _damage_as_data_error(self.path):
                item = next(stream, None)
            if item is None:
                return
            connection, record_ns, cdr = item
            yield BagMessage(
                topic=connection.topic,
                type_name=connection.msgtype,
                record_ns=record_ns,
                cdr=cdr,
            )

    def image_topics(self) -> tuple[BagTopic, ...]:
        """Return the topics of raw and compressed images."""
        return tuple(topic for topic in self.topics if topic.type_name in IMAGE_TYPES)

    def image_topic(self, requested: str | None = None) -> BagTopic:
        """Find the image topic to work on.

        Args:
            requested: its name; None takes the only one.

        Returns:
            The topic.

        Raises:
            DataError: there is none, there are several and none was requested, or the requested
                one is missing or carries no images.
        """
        images = self.image_topics()
        if requested is None and len(images) == 1:
            return images[0]
        if not images:
            raise DataError(f'{self.path}: no image topic; {self._list_topics()}')
        choice = ', '.join(topic.name for topic in images)
        if requested is None:
            raise DataError(
                f'{self.path}: {len(images)} image topics; choose one with --topic: {choice}'
            )
        for topic in images:
            if topic.name == requested:
                return topic
        raise DataError(f'{self.path}: no image topic {requested}; image topics: {choice}')

    def _list_topics(self) -> str:
        names = ', '.join(f'{topic.name} ({topic.type_name})' for topic in self.topics)
        return f'topics: {names}' if names else 'the bag has no topics'


def _check_is_bag(path: Path) -> None:
    """Tell apart the ways in which a path is not a bag."""
    if not path.exists():
        raise DataError(f'{path}: no such bag')
    if path.suffix == '.bag' and path.is_file():
        raise DataError(
            f'{path}: is a ROS 1 bag; convert it first: '
            f'rosbags-convert --src {path} --dst {path.with_suffix("")}'
        )
    if path.is_file() and path.suffix not in {'.mcap', '.db3'}:
        raise DataError(f'{path}: is not a bag; expected a bag folder, a .mcap or a .db3 file')
    if path.is_dir() and not (path / 'metadata.yaml').is_file():
        files = [*path.glob('*.mcap*'), *path.glob('*.db3*')]
        if files:
            raise DataError(
                f'{path}: has no metadata.yaml, so its recording was cut off; '
                f'mend it with: ros2 bag reindex {path}'
            )
        raise DataError(f'{path}: is not a bag; a bag folder holds metadata.yaml and its files')


@contextmanager
def _damage_as_data_error(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise DataError(f'{path}: is incomplete or damaged: {reason}') from error
