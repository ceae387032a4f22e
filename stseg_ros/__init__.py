"""Two-stage vehicle segmentation for ROS 2: a coarse look, then a close one where in doubt."""
