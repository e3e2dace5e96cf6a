"settings.ini is the one source of the package's metadata; nbdev reads the same file."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
config = ConfigParser(delimiters=["="], interpolation=None)
config.read(HERE / "settings.ini", encoding="utf-8")
settings = config["DEFAULT"]


def words(key):
    return settings.get(key, "").split()


extras = {key.removeprefix("extra_"): words(key) for key in settings if key.startswith("extra_")}
extras["all"] = sorted({word for name in ("read", "notebook", "formats", "superpixels") for word in extras[name]})
extras["dev"] = sorted({*extras["all"], *extras["tables"], *extras["train"], *words("dev_requirements")})

share = HERE / "deepnb" / "share"
data_files = {}
for path in sorted(share.rglob("*")):
    if path.is_file():
        place = f"share/{path.parent.relative_to(share).as_posix()}"
        data_files.setdefault(place, []).append(str(path.relative_to(HERE)))

guides = sorted((HERE / "nbs" / "guides").glob("*.ipynb"))
data_files["share/deepnb/guides"] = [str(path.relative_to(HERE)) for path in guides]

setup(
    name=settings["lib_name"],
    version=settings["version"],
    description=settings["description"],
    keywords=words("keywords"),
    author=settings["author"],
    author_email=settings["author_email"],
    license="Apache-2.0",
    classifiers=["Framework :: Jupyter", "Programming Language :: Python :: 3"],
    packages=find_packages(include=["deepnb", "deepnb.*"]),
    package_data={"deepnb": ["data/**/*", "static/*", "weights/**/*", "share/**/*"]},
    data_files=list(data_files.items()),
    install_requires=words("requirements"),
    extras_require=extras,
    python_requires=f">={settings['min_python']}",
    entry_points={
        "console_scripts": words("console_scripts"),
        "nbdev": ["deepnb=deepnb._modidx:d"],
    },
    zip_safe=False,
)
