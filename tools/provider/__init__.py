"""A loopback provider for tests and benchmarks, in a process of its own.

It speaks the protocols of OpenAI (chat completions, completions, responses, embeddings, models) and
of Anthropic (messages), writes each paid call into a journal before the first byte of the answer
leaves, and misbehaves when it is told to. `tests/provider/README.md` is its manual; start it with
`Provider` of `tools.provider.client`, or by `python -m tools.provider`.
"""
