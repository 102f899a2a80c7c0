"""The build step that pyproject.toml can't name: the code of the protos is made into the wheel (generate.py)."""
import pathlib
import shutil
import sys

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import generate  # noqa: E402


class BuildWithStubs(build_py):
    """The package's files, then the generated ones beside them."""

    def run(self):
        super().run()
        if not getattr(self, "editable_mode", False):
            generate.generate(self.build_lib)
        else:  # an editable install imports from the tree
            generate.generate(generate.HERE)


class ArchiveWithProtos(sdist):
    """A source archive must build without the project's tree, so it takes the public protos with it."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        public = generate.roots()[1]
        for proto in generate.API:
            target = pathlib.Path(base_dir) / "protos" / proto
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(public / proto, target)


setup(cmdclass={"build_py": BuildWithStubs, "sdist": ArchiveWithProtos})
