"""Measures the scheduler from outside, on embedded servers, beside bare SQL in the same run."""
