"""One HTML page that shows every frame by its score, and a threshold to move over what was replayed.

The page is put together of three kinds of files in ``page/``, the outcomes of a replay (``contents``), small
pictures (``pictures``) and the changed regions of the frames around each threshold (``regions``). It asks no
network for anything, and shows no threshold that was not replayed.
"""
