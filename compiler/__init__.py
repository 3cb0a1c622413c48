"""The compiler: source text to module text. It needs SymPy, Lark and NumPy, and never the runtime."""

VERSION = "0.1.0"
