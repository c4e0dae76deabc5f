"""Operations across models: insight → transfer → execution (specs/12).

`Session.cross_model` is the way in.
"""
