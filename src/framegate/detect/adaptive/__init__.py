"""The preset ``adaptive``: how many times more than usual did the strongest place change?

Data flows one way: ``working`` (a picture at 180 rows) -> ``difference`` (texture, brightness and colour of
each block) -> ``usual`` (what is usual at each block) -> ``strength`` (how many times more) ->
``neighbourhood`` (a small network weighs each block by what surrounds it) -> ``places`` (the strongest block
that counts). Beside it, ``whole`` names what changed most of the picture at once.

Two rules make the same frames give the same scores in any process, on any processor: sums are of whole
numbers that a float holds exactly, so that their order does not matter; everything else is one IEEE operation
at a time (``+ - * / sqrt``, rounding), never a library's logarithm, whose last bit may differ.
"""
