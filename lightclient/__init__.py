"""Bitcoin light client core: headers and proofs of payment in little memory, without I/O."""

__version__ = "0.1.0"
