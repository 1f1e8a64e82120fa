"""Who is asked about a site."""

import numpy as np
import pandas as pd

from .world import World

__all__ = ["sites"]

_PLACES = (
    "Tan Binh",
    "Thu Duc",
    "Binh Thanh",
    "Go Vap",
    "Phu Nhuan",
    "Cu Chi",
    "Nha Be",
    "Bien Hoa",
    "Di An",
    "Vung Tau",
)
_KINDS = (
    "warehouse",
    "office tower",
    "factory",
    "mall",
    "hospital",
    "school",
    "container yard",
    "data centre",
)
_FAMILY = ("Nguyen", "Tran", "Le", "Pham", "Hoang", "Phan", "Vu", "Dang", "Bui", "Do")
_GIVEN = (
    "An",
    "Binh",
    "Chi",
    "Dung",
    "Giang",
    "Ha",
    "Khanh",
    "Lan",
    "Minh",
    "Quan",
    "Thao",
    "Tuan",
)


def sites(world: World) -> pd.DataFrame:
    """One row per site: site_id, name, security_manager (missing for 18 % of the sites), manager
    (of about ten sites; missing for 3 %, which have nobody).
    """
    rng = world.stream("sites")
    n = world.sites
    rank = rng.permutation(n)
    security = _people(rng, n)
    managers = _people(rng, n // 10 + 1)
    return pd.DataFrame(
        {
            "site_id": [f"S{i:04d}" for i in range(n)],
            "name": [_site_name(i) for i in range(n)],
            "security_manager": np.where(rank < round(0.18 * n), None, security),
            "manager": np.where(rank < round(0.03 * n), None, managers[np.arange(n) // 10]),
        }
    )


def _site_name(i):
    return f"{_PLACES[i % 10]} {_KINDS[i // 10 % 8]} {i // 80 + 1}"


def _people(rng, n):
    families = rng.choice(_FAMILY, n)
    names = [f"{family} {own}" for family, own in zip(families, rng.choice(_GIVEN, n))]
    return np.array(names, dtype=object)
