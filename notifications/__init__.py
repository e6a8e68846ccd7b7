"""The floor: who was told what, and what the edges of every app share. Knows no domain word."""
