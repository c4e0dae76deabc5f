"""A strong model finds out, a cheaper one does the work, and both are on record.

    python -m examples.cross_model [FOLDER]

runs `experiment.py` against a loopback provider, kills it in the middle of a call, starts it again,
exports what it recorded, and has it verified.
"""
