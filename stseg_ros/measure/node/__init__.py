"""What the node costs: how it is measured over ROS 2, and what the figures are made of."""
