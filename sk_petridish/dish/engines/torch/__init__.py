"""The reference engine: plain PyTorch."""
