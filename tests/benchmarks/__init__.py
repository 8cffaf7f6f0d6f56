"""Speed and memory as ratios, both sides in one run; never part of the timed tests."""
