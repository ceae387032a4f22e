"""Images in and out of ROS messages and bags, without a ROS installation."""
