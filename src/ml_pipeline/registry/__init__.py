"""Model files and what vouches for them."""
