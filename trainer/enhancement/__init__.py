"""A trained network applied to pictures of any size, and photographs in and out with their colours and notes.

enhancer, tiling and tile_size know pictures and networks; photo* know files. Imports preprocessing, and inputs and
checkpoint of the top; evaluation and the command `enhance` import it.
"""
