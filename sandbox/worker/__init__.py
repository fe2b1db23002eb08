"""What runs inside the wall: the standard library only, and nothing that a program may not see."""
