"""Classes with the fields of vision_msgs's messages, for machines where it is not installed.

They hold what the generated classes hold: unknown fields and values of another type are refused.
They cannot be sent.
"""

from __future__ import annotations

from typing import Any, ClassVar

from geometry_msgs.msg import PoseWithCovariance
from std_msgs.msg import Header


class _Message:
    fields: ClassVar[dict[str, type]]

    def __init_subclass__(cls, **fields: type) -> None:
        cls.fields = fields

    def __init__(self, **values: Any) -> None:
        for name, kind in self.fields.items():
            setattr(self, name, values.pop(name) if name in values else kind())
        assert not values, f'{type(self).__name__} has no {values}'

    def __setattr__(self, name: str, value: object) -> None:
        assert name in self.fields, f'{type(self).__name__} has no {name}'
        assert isinstance(value, self.fields[name]), f'{name} is {value!r}'
        object.__setattr__(self, name, value)


class Point2D(_Message, x=float, y=float):
    pass


class Pose2D(_Message, position=Point2D, theta=float):
    pass


class BoundingBox2D(_Message, center=Pose2D, size_x=float, size_y=float):
    pass


class ObjectHypothesis(_Message, class_id=str, score=float):
    pass


class ObjectHypothesisWithPose(_Message, hypothesis=ObjectHypothesis, pose=PoseWithCovariance):
    pass


class Detection2D(_Message, header=Header, results=list, bbox=BoundingBox2D, id=str):
    pass


class Detection2DArray(_Message, header=Header, detections=list):
    pass


class VisionClass(_Message, class_id=int, class_name=str):
    pass


class LabelInfo(_Message, header=Header, class_map=list, threshold=float):
    pass
