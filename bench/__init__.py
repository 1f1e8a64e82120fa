"""Benchmarks as ratios: ours against a peer, interleaved in one process, CPU time, median of at
least five.
"""
