"""From keypoints to bodies in three dimensions, with networks of our own."""
