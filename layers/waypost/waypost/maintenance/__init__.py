"""Repairs by operators: replays lost clicks and compares counters with the clicks table."""
