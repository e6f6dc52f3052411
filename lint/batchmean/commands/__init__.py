"""What the commands do: their arguments, `check`, what it shows and rewrites, and the pages on rules."""
