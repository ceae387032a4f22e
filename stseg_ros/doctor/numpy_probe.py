"""Uses NumPy, OpenCV and cv_bridge together, and reports each that works; see `numpy_check`."""

from __future__ import annotations

import sys
from types import SimpleNamespace

from stseg_ros.doctor.probe import report


def main() -> int:
    """Use one after the other; whichever does not work ends this process in its own way.

    Returns:
        0.
    """
    import numpy as np

    report(f'numpy {np.__version__}')
    import cv2

    image_hwc = cv2.flip(np.full((4, 6, 3), 7, np.uint8), 1)
    assert image_hwc.shape == (4, 6, 3), 'OpenCV does not turn a picture around'
    report(f'cv2 {cv2.__version__}')
    try:
        from cv_bridge import CvBridge
    except ModuleNotFoundError as err:
        if err.name != 'cv_bridge':
            raise
        report('no cv_bridge')
        return 0
    # It asks its compiled part for the type of an encoding, and to convert the colours.
    message = SimpleNamespace(
        height=4, width=6, step=18, encoding='bgr8', is_bigendian=0, data=image_hwc.tobytes()
    )
    shown = np.asarray(CvBridge().imgmsg_to_cv2(message, desired_encoding='rgb8'))
    assert shown.shape == (4, 6, 3), f'cv_bridge made {shown.shape} of a picture of (4, 6, 3)'
    report('cv_bridge')
    return 0


if __name__ == '__main__':
    sys.exit(main())
