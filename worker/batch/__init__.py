"""
Many requests at once: read from files, checked before any is sent, published, and followed to their outcomes.
"""
