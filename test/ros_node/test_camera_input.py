"""Tests of the subscription's topic, and of what is said when nothing comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy', reason='needs rclpy, from a ROS installation or its wheels')

import rclpy
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String
from support.ros_segmenter import PATIENCE_S, free_domain_id

from stseg_ros.errors import ConfigError
from stseg_ros.ros_node import camera_input
from stseg_ros.ros_node.camera_input import CameraInput, SequenceWatch
from stseg_ros.ros_node.frame_processor import ReceivedImage

pytestmark = pytest.mark.ros

BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
MakeNode = Callable[..., Node]


@pytest.fixture
def make_node() -> Iterator[MakeNode]:
    nodes = []

    def make(name: str, *arguments: str) -> Node:
        # One participant each: DDS refuses two types of one topic within a participant.
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=free_domain_id(7))
        ros_arguments = ['--ros-args', *arguments] if arguments else []
        node = Node(name, context=context, namespace='/cam', cli_args=ros_arguments)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.destroy_node()
        rclpy.shutdown(context=node.context)


def listen(node: Node, transport: str = 'raw') -> tuple[CameraInput, list[ReceivedImage]]:
    received: list[ReceivedImage] = []
    return CameraInput(node, transport, received.append, lambda _: None), received


def said_about(camera: CameraInput, text: str) -> str:
    """Wait until discovery has come so far that the explanation holds a text."""
    deadline_s = time.monotonic() + PATIENCE_S
    while text not in (said := camera.explain_silence()):
        assert time.monotonic() < deadline_s, f'no {text!r} in {said!r}'
        time.sleep(0.02)
    return said


@pytest.mark.parametrize(
    ('arguments', 'transport', 'topic'),
    [
        ([], 'raw', '/cam/image'),
        ([], 'compressed', '/cam/image/compressed'),
        (['-r', 'image:=/front/image_raw'], 'raw', '/front/image_raw'),
        (['-r', 'image:=/front/image_raw'], 'compressed', '/front/image_raw/compressed'),
        (['-r', 'image:=/front/compressed'], 'compressed', '/front/compressed'),
        (['-r', 'image/compressed:=/jpegs'], 'compressed', '/jpegs'),
    ],
    ids=str,
)
def test_remappings(make_node: MakeNode, arguments: list[str], transport: str, topic: str) -> None:
    node = make_node('segmenter', *arguments)
    camera, _ = listen(node, transport)
    assert camera.topic == topic
    assert node.count_subscribers(topic) == 1
    camera.destroy()
    assert node.count_subscribers(topic) == 0


def test_messages_are_handed_on_with_their_time(make_node: MakeNode) -> None:
    node = make_node('segmenter')
    _, received = listen(node)
    publisher = make_node('camera').create_publisher(Image, 'image', 10)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    before_ns = time.perf_counter_ns()
    deadline_s = time.monotonic() + PATIENCE_S
    while not received and time.monotonic() < deadline_s:
        publisher.publish(Image(encoding='rgb8'))
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    assert received[0].message.encoding == 'rgb8'
    assert before_ns < received[0].received_ns < time.perf_counter_ns()


def test_rclpy_of_humble_hands_on_the_message_alone(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There the class is without the types of callbacks, and each is called with the message.
    monkeypatch.setattr(camera_input, 'Subscription', SimpleNamespace())
    camera, received = listen(make_node('segmenter'))
    message = Image(encoding='rgb8')
    camera._subscription.callback(message)
    assert [it.message for it in received] == [message]
    # Nobody has told its number, so what the middleware reports counts.
    assert not camera._numbered


def test_losses_are_handed_on_and_explained(make_node: MakeNode) -> None:
    lost: list[int] = []
    camera = CameraInput(make_node('segmenter'), 'raw', lambda _: None, lost.append)
    camera._on_lost(SimpleNamespace(total_count=5, total_count_change=3))
    assert lost == [3]
    said = (
        'images of /cam/image did not reach this node: newer ones replaced them while it was too '
        'busy to take them, which fewer images or regions mend, or the '
    )
    assert camera.explain_loss().startswith(f'{said}transport lost them: give the process')
    assert 'config/fastdds.xml' in camera.explain_loss()


def test_missing_numbers_are_losses() -> None:
    watch = SequenceWatch()
    assert [watch.note(b'a', number) for number in (7, 8, 10, 15)] == [0, 0, 1, 4]
    # Another publisher, or one that was started again, counts for itself.
    assert [watch.note(b'b', number) for number in (1, 2, 5)] == [0, 0, 2]
    assert watch.note(b'a', 16) == 0
    # Number 6 is late and not lost, and 8 follows on 7.
    assert [watch.note(b'c', number) for number in (5, 7, 6, 8)] == [0, 1, 0, 0]
    for number in range(100):
        watch.note(str(number).encode(), 1)
    assert len(watch._latest) <= 16


def test_images_that_were_replaced_before_they_were_taken_are_counted(
    make_node: MakeNode,
) -> None:
    lost: list[int] = []
    received: list[ReceivedImage] = []
    node = make_node('segmenter')
    camera = CameraInput(node, 'raw', received.append, lost.append)
    publisher = make_node('camera').create_publisher(Image, 'image', 10)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)

    def spin_until(condition: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s
            executor.spin_once(timeout_sec=0.1)

    spin_until(publisher.get_subscription_count)
    publisher.publish(Image())
    spin_until(lambda: received)
    if not camera._numbered:
        pytest.skip('this rclpy does not tell the numbers of messages')
    sent = 1 + 50
    for _ in range(sent - 1):
        publisher.publish(Image())
    spin_until(lambda: len(received) + sum(lost) == sent)
    assert sum(lost) > 0
    executor.shutdown()


def test_no_publisher_at_all(make_node: MakeNode) -> None:
    camera, _ = listen(make_node('segmenter'))
    assert camera.explain_silence() == (
        'nobody publishes /cam/image; no image topic is published at all: '
        'start the camera or play a bag'
    )


def test_other_image_topics_are_named(make_node: MakeNode) -> None:
    camera, _ = listen(make_node('segmenter'))
    other = make_node('camera')
    other.create_publisher(Image, '/front/image_raw', 1)
    other.create_publisher(String, '/chatter', 1)
    said = said_about(camera, 'image topics there are: /front/image_raw;')
    assert said.endswith('remap image to one of them, as image:=/front/image_raw')
    assert 'chatter' not in said


def test_the_topic_most_like_ours_is_the_example(make_node: MakeNode) -> None:
    camera, _ = listen(make_node('segmenter', '-r', 'image:=/rear/image'))
    other = make_node('camera')
    for topic in ('/front/image_raw', '/rear/image_raw'):
        other.create_publisher(Image, topic, 1)
    other.create_publisher(CompressedImage, '/rear/image_', 1)
    said = said_about(camera, '/front/image_raw, /rear/image_, /rear/image_raw;')
    assert said.endswith('as image:=/rear/image_raw')


def test_the_nodes_own_outputs_are_not_advised(make_node: MakeNode) -> None:
    node = make_node('segmenter')
    node.create_publisher(Image, 'mask', 1)
    camera, _ = listen(node)
    assert 'no image topic is published at all' in camera.explain_silence()


def test_the_compressed_companion_is_advised(make_node: MakeNode) -> None:
    camera, _ = listen(make_node('segmenter'))
    make_node('camera').create_publisher(CompressedImage, 'image/compressed', 1)
    said_about(camera, '/cam/image/compressed is there: start the node with transport:=compressed')


def test_the_raw_companion_is_advised(make_node: MakeNode) -> None:
    camera, _ = listen(make_node('segmenter'), 'compressed')
    make_node('camera').create_publisher(Image, 'image', 1)
    said_about(camera, '/cam/image is there: start the node with transport:=raw')


def test_another_type_is_named(make_node: MakeNode) -> None:
    camera, _ = listen(make_node('segmenter'))
    make_node('camera').create_publisher(CompressedImage, 'image', 1)
    said_about(
        camera, 'carries sensor_msgs/msg/CompressedImage, expected sensor_msgs/msg/Image; start'
    )


def test_an_unfit_qos_is_named(make_node: MakeNode) -> None:
    override = 'qos_overrides./cam/image.subscription.reliability:=reliable'
    camera, _ = listen(make_node('segmenter', '-p', override))
    make_node('camera').create_publisher(Image, 'image', BEST_EFFORT)
    said = said_about(camera, 'the QoS of /cam/camera on /cam/image does not fit ours')
    assert 'reliab' in said.split('ours')[1].lower()
    assert 'it offers best_effort, volatile, we ask for reliable, volatile' in said
    assert (
        'set the parameter qos_overrides./cam/image.subscription.reliability to best_effort'
        in said
    )


def test_lost_images_are_explained(make_node: MakeNode) -> None:
    camera, _ = listen(make_node('segmenter'))
    make_node('camera').create_publisher(Image, 'image', BEST_EFFORT)
    said = said_about(camera, '/cam/camera publishes /cam/image with a fitting QoS (best_effort, ')
    assert 'sends nothing, or its images are lost' in said
    assert 'config/fastdds.xml' in said
    assert 'qos_overrides./cam/image.subscription.reliability' in said


@pytest.mark.parametrize(
    ('policy', 'value'), [('reliability', 'always'), ('depth', 'deep'), ('depth', '-1')]
)
def test_a_wrong_override_is_an_error(make_node: MakeNode, policy: str, value: str) -> None:
    override = f'qos_overrides./cam/image.subscription.{policy}:={value}'
    with pytest.raises(ConfigError, match=r'^/cam/image: .*look at its qos_overrides'):
        listen(make_node('segmenter', '-p', override))


def test_what_a_message_waited_for_this_process_is_told(make_node: MakeNode) -> None:
    camera, received = listen(make_node('segmenter'))
    arrived_ns = time.time_ns() - 40_000_000
    for info in ({'received_timestamp': arrived_ns}, {'received_timestamp': 0}, {}):
        camera._on_message(Image(), info)
    # A clock that was set back meanwhile.
    camera._on_message(Image(), {'received_timestamp': time.time_ns() + 10**12})
    first, *untold, back = (it.taking_ns for it in received)
    assert first is not None
    assert 40_000_000 <= first < 40_000_000 + PATIENCE_S * 1e9
    assert untold == [None, None]
    assert back == 0


@pytest.mark.parametrize(('numbered', 'depth'), [(True, 1), (False, 4)])
def test_a_queue_is_kept_only_where_nobody_would_tell_what_it_drops(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch, numbered: bool, depth: int
) -> None:
    monkeypatch.setattr(camera_input, '_numbers_messages', lambda: numbered)
    node = make_node('segmenter')
    listen(node)
    (info,) = node.get_subscriptions_info_by_topic('/cam/image')
    assert info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    assert (
        camera_input.CameraInput(node, 'raw', lambda _: None, lambda _: None)._qos.depth == depth
    )


def test_a_late_process_gets_the_newest_image_and_counts_the_others(make_node: MakeNode) -> None:
    if not camera_input._numbers_messages():
        pytest.skip('messages have no numbers here')
    # Reliable, so that the publisher can tell when all have arrived.
    node = make_node(
        'segmenter', '-p', 'qos_overrides./cam/image.subscription.reliability:=reliable'
    )
    lost: list[int] = []
    received: list[ReceivedImage] = []
    CameraInput(node, 'raw', received.append, lost.append)
    publisher = make_node('camera').create_publisher(Image, 'image', 10)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    deadline_s = time.monotonic() + PATIENCE_S

    def spin_until(condition: Callable[[], object]) -> None:
        while not condition():
            assert time.monotonic() < deadline_s
            executor.spin_once(timeout_sec=0.1)

    spin_until(publisher.get_subscription_count)
    publisher.publish(Image(width=1))
    spin_until(lambda: received)
    received.clear()
    lost.clear()
    # Nobody serves the node meanwhile.
    for width in range(2, 8):
        publisher.publish(Image(width=width))
    assert publisher.wait_for_all_acked(Duration(seconds=PATIENCE_S))
    spin_until(lambda: received and received[-1].message.width == 7)
    executor.shutdown()
    assert [it.message.width for it in received] == [7]
    assert sum(lost) == 5
