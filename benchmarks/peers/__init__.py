"""What users would run instead, written the usual way and timed beside ours: `python -m benchmarks.peers.trainer`."""
