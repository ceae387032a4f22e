"""The demonstration: a real node and a real player over ROS 2, and what came of it."""
