"""The demo project's history: which tests exist, what happens to them, and how it is written down."""
