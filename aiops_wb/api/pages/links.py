"Where pages are."

from urllib.parse import quote

__all__ = ["model_page"]


def model_page(model: str) -> str:
    "The page of a model."
    return f"/pages/models/{quote(model, safe='')}"
