"""Several cameras in one process, on the same networks; nothing here imports rclpy."""
