"""The arrows between the parts of the project, as imports."""

import ast
import configparser
import importlib.metadata
import pathlib
import re
import subprocess
import sys

import keras
import pytest
from without import run_without

ROOT = pathlib.Path(__file__).parents[1]
FRAMEWORKS = {"tensorflow", "jax", "torch"}

# For each part, the modules it may import besides its own and the standard
# library; a name allows what lies below it.
ALLOWED = {
    "amp_keras/perturbation.py": {"keras"},
    "amp_keras/amp_model.py": {
        "keras",
        "amp_keras.backend",
        "amp_keras.batch_part",
        "amp_keras.delegation",
        "amp_keras.epsilon",
        "amp_keras.perturbation",
        "amp_keras.weights_file",
    },
    "amp_keras/random_perturbation.py": {
        "keras",
        "amp_keras.amp_model",
        "amp_keras.perturbation",
    },
    "amp_keras/batch_part.py": {"keras"},
    "amp_keras/delegation.py": {"keras"},
    "amp_keras/epsilon.py": {"keras"},
    "amp_keras/weights_file.py": {"h5py"},
    "amp_keras/trainer.py": {
        "keras",
        "amp_keras.batch_part",
        "amp_keras.perturbation",
    },
    "amp_keras/pass_scope.py": {"keras"},
    "amp_keras/atomic_file.py": set(),
    "amp_keras/callbacks.py": {
        "keras",
        "amp_keras.atomic_file",
        "amp_keras.perturbation",
    },
    "amp_keras/losses.py": {"keras"},
    "amp_keras/optimizers.py": {"keras"},
    "amp_keras/__init__.py": {"amp_keras"},
    "amp_keras/errors.py": set(),
    "amp_keras/extras.py": set(),
    "amp_keras/backend/tensorflow": {
        "keras",
        "tensorflow",
        "amp_keras.pass_scope",
        "amp_keras.trainer",
    },
    "amp_keras/backend/jax": {
        "keras",
        "jax",
        "amp_keras.pass_scope",
        "amp_keras.trainer",
    },
    "amp_keras/backend/torch": {
        "keras",
        "torch",
        "amp_keras.pass_scope",
        "amp_keras.perturbation",
        "amp_keras.trainer",
    },
    "amp_keras/models": {"keras", "amp_keras.errors"},
    "amp_keras/evaluation": {
        "keras",
        "numpy",
        *(f"amp_keras.backend.{name}.gradients" for name in FRAMEWORKS),
    },
    "amp_keras/tuner": {
        "keras",
        "keras_tuner",
        "amp_keras.amp_model",
        "amp_keras.batch_part",
        "amp_keras.extras",
        "amp_keras.perturbation",
    },
    "amp_keras/datasets": {
        "PIL",
        "absl",
        "amp_keras.errors",
        "amp_keras.extras",
        "keras",
        "numpy",
        "requests",
        "sklearn",
        "tensorflow",
        "tensorflow_datasets",
    },
    "amp_keras/experiments": {
        "amp_keras.AMPModel",
        "amp_keras.RandomPerturbation",
        "amp_keras.__version__",
        "amp_keras.atomic_file",
        "amp_keras.backend.jax.distribution",
        "amp_keras.backend.tensorflow.distribution",
        "amp_keras.callbacks",
        "amp_keras.datasets",
        "amp_keras.errors",
        "amp_keras.evaluation",
        "amp_keras.losses",
        "amp_keras.models",
        "amp_keras.optimizers",
        "amp_keras.perturbation",
        "filelock",
        "keras",
        "matplotlib",
        "numpy",
        "sklearn",
        "tensorboard",
    },
    "amp_keras/search": {
        "amp_keras.errors",
        "amp_keras.experiments",
        "amp_keras.perturbation",
        "amp_keras.tuner",
        "keras",
        "keras_tuner",
        "matplotlib",
        "numpy",
    },
    "amp_keras/comparison": {
        "amp_keras.errors",
        "amp_keras.experiments",
        "keras",
        "matplotlib",
        "numpy",
        "scipy",
    },
    "amp_keras/cli": {
        "absl",
        "amp_keras.batch_part",
        "amp_keras.comparison",
        "amp_keras.datasets",
        "amp_keras.errors",
        "amp_keras.experiments",
        "amp_keras.models",
        "amp_keras.perturbation",
        "amp_keras.search",
        "keras",
    },
    "amp_keras_commands.py": set(),
    "apps": {"amp_keras_commands"},
    "tuning": {"amp_keras_commands"},
    "benchmarks": {
        "absl",
        "amp_keras",
        "keras",
        "matplotlib",
        "numpy",
        # The authors' own code runs on it.
        "torch",
    },
    # What a reader has installed.
    "docs/guides": {"amp_keras", "keras", "matplotlib", "numpy", "sklearn"},
    # Beside the networks, helpers in tests/.
    "scripts": {
        "amp_keras.amp_model",
        "amp_keras.comparison.page",
        "amp_keras.experiments.markdown",
        "amp_keras.models",
        "applications",
        "bad_inputs",
        "comparison_tables",
        "crash_points",
        "every_backend",
        "fuzz",
        "guides",
        "keras",
        "matplotlib",
        "method_tables",
        "numpy",
        "mutations",
        "parity",
        "pooled",
        "processes",
        "published_networks",
        "soak",
        "sklearn",
    },
}


def python_files(part):
    path = ROOT / part
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def lies_in(module, packages):
    return any((module + ".").startswith(package + ".") for package in packages)


@pytest.mark.parametrize("part", ALLOWED)
def test_part_imports_only_what_it_may(part):
    own = {part.removesuffix(".py").replace("/", ".")}
    if "/" not in part:
        own = {path.stem for path in python_files(part)}
    allowed = ALLOWED[part] | own | set(sys.stdlib_module_names)
    files = python_files(part)
    assert files
    for path in files:
        for module in imported_modules(path):
            assert lies_in(module, allowed), f"{path} imports {module}"


def picture(kind):
    """Returns the lines of a block of code in CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    return re.search(rf"```{kind}\n(.*?)\n```", text, re.DOTALL)[1].split("\n")


def parts_of_the_package():
    """Returns lists of files by the name of a module or folder."""
    package = ROOT / "amp_keras"
    names = {path.stem for path in package.glob("*.py")}
    names |= {path.parent.name for path in package.glob("*/__init__.py")}
    return {
        name: python_files(
            f"amp_keras/{name}"
            if (package / name).is_dir()
            else f"amp_keras/{name}.py"
        )
        for name in names
    }


def neighbours(path, package, names):
    """Returns which of the modules of a package a file imports."""
    for module in imported_modules(path):
        below = module.removeprefix(f"{package}.")
        if below != module:
            name = below.partition(".")[0]
            yield name if name in names else "__init__"


def test_picture_has_the_arrows_between_the_parts():
    parts = parts_of_the_package()
    arrows = {
        name: {
            other
            for path in files
            for other in neighbours(path, "amp_keras", parts)
        }
        - {name}
        for name, files in parts.items()
    }
    drawn = {}
    for line in picture("arrows"):
        name, _, others = line.partition(" -> ")
        drawn[name] = set(others.split(", "))
    assert drawn == {name: found for name, found in arrows.items() if found}


@pytest.mark.parametrize(
    "folder", ["cli", "search", "comparison", "experiments"]
)
def test_picture_has_the_modules_of_a_folder_in_layers(folder):
    layers = [line.split(", ") for line in picture(f"layers {folder}")]
    depth = {name: i for i, names in enumerate(layers) for name in names}
    assert sum(map(len, layers)) == len(depth), "a module stands there twice"
    files = {path.stem: path for path in python_files(f"amp_keras/{folder}")}
    del files["__init__"]
    assert set(files) == set(depth)
    for name, path in files.items():
        for other in neighbours(path, f"amp_keras.{folder}", files):
            assert depth[other] > depth[name], f"{name} imports {other}"


def test_tests_import_no_script():
    scripts = {path.stem for path in python_files("scripts")}
    for path in python_files("tests"):
        for module in imported_modules(path):
            assert not lies_in(module, scripts), f"{path} imports {module}"


def test_every_module_of_the_package_belongs_to_a_part():
    known = {path for part in ALLOWED for path in python_files(part)}
    known.add(ROOT / "amp_keras/backend/__init__.py")
    assert set((ROOT / "amp_keras").rglob("*.py")) <= known


@pytest.mark.parametrize(
    ("part", "extras"),
    [
        ("amp_keras/evaluation", []),
        ("amp_keras/models", []),
        ("amp_keras/tuner", ["tuner"]),
        ("amp_keras/datasets", ["apps"]),
        ("amp_keras/experiments", ["apps"]),
        ("amp_keras/comparison", ["apps"]),
        ("amp_keras/search", ["apps", "tuner"]),
        ("amp_keras/cli", ["apps", "tuner"]),
    ],
)
def test_what_a_part_imports_is_declared(part, extras):
    declared = requirements(extras)
    distributions = importlib.metadata.packages_distributions()
    for name in ALLOWED[part]:
        package = name.partition(".")[0]
        if package != "amp_keras":
            names = {n.lower() for n in distributions[package]}
            assert names & declared, f"{package} is not declared"


def requirements(extras):
    """Returns the distributions that setup.cfg declares for extras."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].splitlines()
    for extra in extras:
        lines += config["options.extras_require"][extra].splitlines()
    return {re.match(r"[\w-]*", line)[0].lower() for line in lines}


def test_keras_internals_are_imported_nowhere():
    for path in (
        python_files("amp_keras")
        + python_files("apps")
        + python_files("tuning")
    ):
        for module in imported_modules(path):
            assert not lies_in(module, {"keras.src"}), f"{path}: {module}"


@pytest.mark.parametrize(
    "path",
    [
        path
        for part in ("amp_keras/cli", "benchmarks", "scripts")
        for path in python_files(part)
    ],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_main_functions_are_short(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == "main":
            lines = node.end_lineno - node.lineno + 1
            assert lines <= 20, f"main of {path} has {lines} lines"


def test_import_of_the_package_needs_no_other_backend_and_no_dataset():
    others = FRAMEWORKS - {keras.config.backend()}
    unwanted = others | {"tensorflow_datasets", "keras_tuner"}
    result = run_without(unwanted, "import amp_keras")
    assert result.returncode == 0, result.stderr


def test_import_of_the_package_brings_no_other_backend():
    """Beyond those that Keras itself imports."""
    code = (
        "import sys, keras\n"
        "before = set(sys.modules)\n"
        "import amp_keras\n"
        f"assert not {FRAMEWORKS} & (set(sys.modules) - before)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_backend_is_refused_by_name():
    code = (
        "import keras\n"
        "keras.config.backend = lambda: 'openvino'\n"
        "import amp_keras\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert result.returncode != 0
    assert "Received: KERAS_BACKEND=openvino" in result.stderr
