"""Dice against time: two stages and single stages of one network, scored and timed alike."""
