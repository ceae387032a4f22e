"""Which regions to refine and how to merge them: every choice on the same network outputs."""
