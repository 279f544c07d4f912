"""Proofs about personal data on disk."""
