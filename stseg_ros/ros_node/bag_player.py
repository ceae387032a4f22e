"""Plays a bag over ROS 2: every message as it was recorded, at its recorded time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from builtin_interfaces.msg import Time
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from tqdm import tqdm

from stseg_ros.errors import DataError
from stseg_ros.ros_node.bag_node import find_message_type, plain_node
from stseg_ros.ros_node.transport import use_large_image_transport
from stseg_ros.sources.bag_reader import BagMessage, BagReader
from stseg_ros.sources.image_codec import header_stamp_ns

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.publisher import Publisher

_NS_PER_S = 1_000_000_000
_CLOCK_PERIOD_S = 0.025
_SUBSCRIBERS_TIMEOUT_S = 30.0
_GRAPH_POLL_S = 0.05
# A publisher knows its subscribers a little before they know it, and they read a little after it
# has sent: nothing tells when.
_SETTLE_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOptions:
    """How to play.

    Attributes:
        rate: speed; 2 is twice as fast as recorded.
        loop: start over at the end, until interrupted.
        clock: publish the recorded time on /clock as well.
    """

    rate: float
    loop: bool
    clock: bool


def play(
    bag: Path,
    *,
    rate: float,
    loop: bool,
    clock: bool,
    topics: tuple[str, ...],
    publish_log: Path | None,
    wait_for_subscribers: int,
) -> int:
    """Publish a bag's messages on their recorded topics, byte for byte, and say so.

    Args:
        bag: the bag.
        rate: speed, above 0; 2 is twice as fast as recorded.
        loop: start over at the end, until interrupted.
        clock: publish the recorded time on /clock as well.
        topics: the topics to play; none means all whose message type is installed.
        publish_log: file for one JSON line per message: `stamp_ns` (null without a header),
            `topic` and `publish_monotonic_ns`, the CLOCK_MONOTONIC time just before publishing.
        wait_for_subscribers: start when every image topic has so many subscribers.

    Returns:
        0.

    Raises:
        DataError: the bag is unreadable, a topic or its type is missing, or too few subscribers
            came within 30 s.
    """
    options = PlayOptions(rate=rate, loop=loop, clock=clock)
    use_large_image_transport()
    with ExitStack() as stack:
        reader = stack.enter_context(BagReader(bag))
        types = _message_types(reader, topics)
        log = None if publish_log is None else stack.enter_context(_open_log(publish_log))
        player = _Player(stack.enter_context(plain_node('bag_player')), types, options, log)
        print(_announcement(reader, list(types), options, wait_for_subscribers), flush=True)
        images = [topic.name for topic in reader.image_topics() if topic.name in types]
        player.wait_for(images, wait_for_subscribers)
        start_s = time.monotonic()
        try:
            player.play(reader)
        except KeyboardInterrupt:
            if not loop:
                raise
        finally:
            played_s = time.monotonic() - start_s
            print(f'{bag}: played {player.played} messages in {played_s:.1f} s', flush=True)
        player.drain()
    return 0


class _Player:
    """The publishers, and the schedule that drives them.

    Attributes:
        played: messages published so far.
    """

    def __init__(
        self, node: Node, types: dict[str, type], options: PlayOptions, log: TextIO | None
    ) -> None:
        self.played = 0
        self._types = types
        self._options = options
        self._log = log
        self._publishers: dict[str, Publisher[Any]] = {
            name: node.create_publisher(message_type, name, QoSProfile(depth=10))
            for name, message_type in types.items()
        }
        self._clock = (
            node.create_publisher(Clock, '/clock', QoSProfile(depth=10)) if options.clock else None
        )

    def wait_for(self, topics: list[str], count: int) -> None:
        """Wait until each topic has so many subscribers.

        Raises:
            DataError: they did not come in time.
        """
        if not count:
            return
        deadline_s = time.monotonic() + _SUBSCRIBERS_TIMEOUT_S
        while True:
            found = {name: self._publishers[name].get_subscription_count() for name in topics}
            if all(number >= count for number in found.values()):
                break
            if time.monotonic() > deadline_s:
                seen = ', '.join(f'{name} has {number}' for name, number in found.items())
                raise DataError(
                    f'waited {_SUBSCRIBERS_TIMEOUT_S:.0f} s for {count} subscribers; {seen}; '
                    'start the node, or check its topic and ROS_DOMAIN_ID'
                )
            time.sleep(_GRAPH_POLL_S)
        time.sleep(_SETTLE_S)

    def play(self, reader: BagReader) -> None:
        """Play the bag once, or over and over."""
        period_s = _pass_duration_ns(reader, list(self._types)) / _NS_PER_S / self._options.rate
        passes = 0
        first_pass_s: float | None = None
        while True:
            messages = reader.messages(list(self._types))
            first = next(messages, None)
            if first is None:
                return
            # The schedule starts when the first message has been read: opening a bag takes a
            # while, and messages sent in a burst to make up for it would push each other out.
            _stamp_ns(first)
            first_pass_s = time.monotonic() if first_pass_s is None else first_pass_s
            with self._progress(reader, passes) as progress:
                start_s = first_pass_s + passes * period_s
                self._play_once(chain([first], messages), first.record_ns, start_s, progress)
            passes += 1
            if not self._options.loop:
                return

    def drain(self) -> None:
        """Give the subscribers time to get the last messages."""
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=5))
        time.sleep(_SETTLE_S)

    def _play_once(
        self, messages: Iterable[BagMessage], first_ns: int, start_s: float, progress: tqdm[Any]
    ) -> None:
        """Publish each message at a time counted from the start, so that delays do not add up."""
        for message in messages:
            offset_s = (message.record_ns - first_ns) / _NS_PER_S / self._options.rate
            stamp_ns = None if self._log is None else _stamp_ns(message)
            self._sleep_until(start_s + offset_s, message.record_ns)
            self._publish(message, stamp_ns)
            progress.update()

    def _sleep_until(self, due_s: float, due_clock_ns: int) -> None:
        """Wait for a message's time; /clock ticks meanwhile."""
        while (left_s := due_s - time.monotonic()) > 0:
            if self._clock is not None:
                self._tick(due_clock_ns - round(left_s * self._options.rate * _NS_PER_S))
                left_s = min(left_s, _CLOCK_PERIOD_S)
            time.sleep(left_s)
        if self._clock is not None:
            self._tick(due_clock_ns)

    def _tick(self, time_ns: int) -> None:
        assert self._clock is not None
        seconds, nanoseconds = divmod(max(time_ns, 0), _NS_PER_S)
        self._clock.publish(Clock(clock=Time(sec=seconds, nanosec=nanoseconds)))

    def _publish(self, message: BagMessage, stamp_ns: int | None) -> None:
        published_ns = time.monotonic_ns()
        self._publishers[message.topic].publish(bytes(message.cdr))
        self.played += 1
        if self._log is not None:
            record = {
                'stamp_ns': stamp_ns,
                'topic': message.topic,
                'publish_monotonic_ns': published_ns,
            }
            self._log.write(json.dumps(record) + '\n')

    def _progress(self, reader: BagReader, passes: int) -> tqdm[Any]:
        total = _count(reader, list(self._types))
        title = f'pass {passes + 1}' if self._options.loop else reader.path.name
        return tqdm(desc=title, total=total, unit='message', disable=not sys.stderr.isatty())


def _announcement(
    reader: BagReader, topics: list[str], options: PlayOptions, subscribers: int
) -> str:
    """Say what is about to be played, for how long, and what it waits for."""
    length_s = reader.duration_ns / _NS_PER_S / options.rate
    words = f'{reader.path}: playing {_count(reader, topics)} messages on {", ".join(topics)}'
    words += f' in {length_s:.1f} s'
    if options.loop:
        words += ', over and over until Ctrl-C'
    if subscribers:
        plural = '' if subscribers == 1 else 's'
        words += f', once every image topic has {subscribers} subscriber{plural}'
    return words


def _count(reader: BagReader, topics: list[str]) -> int:
    return sum(topic.count for topic in reader.topics if topic.name in topics)


def _stamp_ns(message: BagMessage) -> int | None:
    """Read the stamp of a message's header, where it has one."""
    header = getattr(message.deserialize(), 'header', None)
    return None if header is None else header_stamp_ns(header)


def _pass_duration_ns(reader: BagReader, topics: list[str]) -> int:
    """From one pass's start to the next one's: the recorded time and one mean interval."""
    counts = [topic.count for topic in reader.topics if topic.name in topics]
    intervals = max(counts, default=0) - 1
    if intervals < 1:
        return _NS_PER_S
    return reader.duration_ns + reader.duration_ns // intervals


def _message_types(reader: BagReader, wanted: tuple[str, ...]) -> dict[str, type]:
    """Import the message type of each topic to play.

    Raises:
        DataError: a wanted topic is not in the bag or its type is not installed, or none is left.
    """
    known = {topic.name: topic for topic in reader.topics}
    missing = [name for name in wanted if name not in known]
    if missing:
        raise DataError(f'{reader.path}: has no topic {missing[0]}; it has {", ".join(known)}')
    chosen = [known[name] for name in wanted] or list(reader.topics)
    types = {topic.name: find_message_type(topic.type_name) for topic in chosen}
    for topic in chosen:
        if types[topic.name] is None:
            reason = f'{topic.name}: message type {topic.type_name!r} is not installed'
            if wanted:
                raise DataError(reason)
            print(f'{reason}; its messages are not played', file=sys.stderr)
    playable = {name: found for name, found in types.items() if found is not None}
    if not playable:
        raise DataError(f'{reader.path}: has nothing that can be played')
    return playable


@contextmanager
def _open_log(path: Path) -> Iterator[TextIO]:
    try:
        with path.open('w', encoding='utf-8') as file:
            yield file
    except OSError as err:
        raise DataError(f'{path}: cannot be written ({err.strerror})') from err
