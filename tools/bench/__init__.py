"""Speed and memory of the ledger and the verifier, each beside a floor measured in the same run.

A ratio against a floor says what the software costs; seconds alone say which machine ran it.

    measured                                floor
    durable appends, single and in batches  Ed25519 signing of the same bytes by the same library
    single durable append                   one LMDB commit of the same bytes, same flags and disk
    verification, one and two processes     Ed25519 verification of the same bytes by libsodium
    lineage: filing, walks, paths, sums     reading every entry once, not taken apart

The signing and verifying floors are of one core. Every append is durable: LMDB with its default
flags (fsync on each commit), and the head published by rename. `python -m tools.bench --help`.
"""
