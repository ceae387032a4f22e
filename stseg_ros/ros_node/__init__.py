"""The ROS 2 side; the only importers of rclpy."""
