"""A system started from restored volumes where nothing leads in or out, and what is seen inside.

Proofs use it for L3 and L4; drills start the same pieces. `plan` decides, `laying` makes, `probe` is the eye
inside, `watching` judges what it tells, `clearing` takes everything away again.
"""
