"""Reads everything from settings.ini; the report notebooks ship inside the package as
aiops_wb.reports.
"""

from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

ini = ConfigParser(delimiters=["="], interpolation=None)
ini.read("settings.ini", encoding="utf-8")
cfg = ini["DEFAULT"]

extras = {
    name: cfg[f"{name}_requirements"].split()
    for name in ("ml", "gpu", "lab", "api", "webhook", "messages", "calendar", "demo", "dev")
}
every = ("ml", "lab", "api", "webhook", "messages", "calendar", "demo")
extras["all"] = sorted({req for name in every for req in extras[name]})

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=Path("README.md").read_text(encoding="utf-8")
    if Path("README.md").exists()
    else "",
    long_description_content_type="text/markdown",
    author=cfg["author"],
    author_email=cfg["author_email"],
    license="MIT",
    keywords=cfg["keywords"],
    url=cfg["git_url"],
    packages=[
        *find_packages(include=["aiops_wb", "aiops_wb.*"]),
        "aiops_wb.sql",
        "aiops_wb.reports",
    ],
    package_dir={"aiops_wb.reports": "nbs/reports"},
    package_data={
        "aiops_wb": ["py.typed"],
        "aiops_wb.sql": ["*.sql"],
        "aiops_wb.render": ["templates/*"],
        "aiops_wb.api": ["templates/*", "static/*"],
        "aiops_wb.reports": ["*.ipynb"],
    },
    include_package_data=False,
    python_requires=f">={cfg['min_python']}",
    install_requires=cfg["requirements"].split(),
    extras_require=extras,
    entry_points={
        "console_scripts": cfg["console_scripts"].split(),
    },
    zip_safe=False,
)
