"""What a bag holds, for people."""

from __future__ import annotations

from datetime import datetime, timezone

from stseg_ros.errors import FrameError
from stseg_ros.sources.bag_messages import IMAGE_TYPES
from stseg_ros.sources.bag_reader import BagReader, BagTopic
from stseg_ros.sources.image_headers import read_image_header


def describe_bag(reader: BagReader) -> str:
    """Describe a bag and its topics.

    Args:
        reader: the open bag.

    Returns:
        Some lines, without a newline at the end. Rates are means over the whole bag; size and
        encoding of images are those of the first message.

    Raises:
        DataError: the bag is damaged.
    """
    duration_s = reader.duration_ns / 1e9
    lines = [
        f'bag       {reader.path}',
        f'storage   {reader.storage}',
        f'start     {_utc(reader.start_ns) if reader.message_count else "-"}',
        f'duration  {duration_s:.3f} s',
        f'messages  {reader.message_count}',
        '',
    ]
    rows = [('topic', 'type', 'count', 'rate', 'first image')]
    rows += [
        (
            topic.name,
            topic.type_name,
            str(topic.count),
            f'{(topic.count - 1) / duration_s:.2f} Hz' if topic.count > 1 and duration_s else '-',
            _first_image(reader, topic),
        )
        for topic in reader.topics
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append('  '.join(cells).rstrip())
    return '\n'.join(lines)


def _first_image(reader: BagReader, topic: BagTopic) -> str:
    """Describe the first image of a topic without decoding it."""
    if topic.type_name not in IMAGE_TYPES or not topic.count:
        return ''
    try:
        message = next(reader.messages([topic.name])).deserialize()
        if hasattr(message, 'encoding'):
            return f'{message.width}x{message.height} {message.encoding}'
        height, width = read_image_header(bytes(message.data)).size_hw
    except FrameError as error:
        return f'unusable: {error}'
    return f'{width}x{height} {message.format}'


def _utc(stamp_ns: int) -> str:
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return f'{moment:%Y-%m-%d %H:%M:%S}.{nanoseconds:09d} UTC'
