"""The drawing part: frames in, pages out; it reads nothing but the frames it is given."""
