"""Arrow's library, or a sentence on how to install it."""

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
except ModuleNotFoundError as missing:
    said = "pyarrow is not installed: many events at once need pip install 'aiops_wb[ml,spark]'."
    raise ModuleNotFoundError(said, name=missing.name) from None

__all__ = ["pa", "pc", "pq"]
