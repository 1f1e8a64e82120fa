"""Reads everything from settings.ini; the report notebooks ship inside the package as
aiops_wb.reports.
"""

import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ini = ConfigParser(delimiters=["="], interpolation=None)
ini.read("settings.ini", encoding="utf-8")
cfg = ini["DEFAULT"]

every = ("ml", "lab", "api", "webhook", "messages", "calendar", "mcp", "spark", "redis", "kafka")
every += ("demo",)
extras = {name: cfg[f"{name}_requirements"].split() for name in (*every, "gpu", "dev")}
extras["all"] = sorted({req for name in every for req in extras[name]})

links = dict(line.split("=", 1) for line in cfg["project_urls"].splitlines())


def readme() -> str:
    "README with links that hold outside of the repository, too."
    text = Path("README.md").read_text(encoding="utf-8")
    tree = f"{cfg['git_url']}/%s/{cfg['branch']}/"
    text = re.sub(r"!\[([^]]*)]\((?!\w+:)", rf"![\1]({tree % 'raw'}", text)
    return re.sub(r"(?<=]\()(?!\w+:|#)", tree % "blob", text)


class Build(build_py):
    "Modules of the package, without the index of notebooks that development alone reads."

    def find_package_modules(self, package, package_dir):
        found = super().find_package_modules(package, package_dir)
        return [one for one in found if one[1] != "_modidx"]


setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=readme(),
    long_description_content_type="text/markdown",
    author=cfg["author"],
    author_email=cfg["author_email"],
    license_expression="MIT",
    keywords=cfg["keywords"],
    classifiers=cfg["classifiers"].splitlines(),
    url=cfg["git_url"],
    project_urls=links,
    cmdclass={"build_py": Build},
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
