"""Command lines with odd values and damaged files, drawn by a seed.

```
PYTHONPATH=tests python tests/cli/fuzz.py train COUNT SEED
```

runs so many of one command and prints a line of JSON for each that ends in
another way than it should: with exit code 0, or with exit code 2, one line on
stderr and every file as it was. Each runs in a process that is forked off,
in a folder of its own; training itself is left out, as what begins it has
accepted everything.
"""

import contextlib
import importlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sys
import tempfile
import time

COMMANDS = ("train", "compare", "evaluate", "predict", "search")
SECONDS = 120

# Of absl; they start debuggers and profilers.
_NOT_OURS = {"run_with_pdb", "pdb_post_mortem", "pdb", "run_with_profiling"}
_NOT_OURS |= {"profile_file", "use_cprofile_for_profiling"}

_ODD = (
    *("", " ", "0", "-1", "1", "2", "1e39", "1e300", "-1e300", "1e-400"),
    *("99999999999999999999", "2147483648", "9" * 5000, "nan", "inf", "-inf"),
    *("true", "None", "null", "[]", "{}", "=", "--", "-", ",", ",,", ":", "/"),
    *("1/8", "1/0", "0x10", "1_000", "１２", "1,2,3", "2,1", "a" * 300),
    *("x" * 5000, "$x", "$", "%s", "%", "a b", "a\nb", "é", "\udcff", "{}{x}"),
    *("(", "(" * 40000, "a{99999999999}", "(?i", "[", "*", "\\"),
    *(".", "..", "../..", "/dev/null", "/dev/zero", "/proc/self/mem", "/"),
    *("file", "file/x", "none", "run", "run/config.json", "images", "net.py"),
    *("net.py:net", "net.py:none", "net.py:", ":net", "os:getcwd", "no:no"),
    *("folder:", "folder:none", "folder:images", "folder:file", "tfds:"),
    *("tfds:none", "tfds:../x", "digits", "resnet8", "erm", "amp:epsilon=1"),
    *("amp:epsilon=x", "amp:x=1", "amp:", "erm,erm", "sam,amp", "paper"),
    *("amp:epsilon=0.5|1", "gce:gce=|1", "rmp:inner_iters=2", "ema,gce,rmp"),
)
_SMALL = ("--dataset=digits", "--model=net.py:net", "--epochs=1", "--verbose=0")
_LINES = {
    "train": [(*_SMALL, "--output_dir=out"), (*_SMALL, "--output_dir=run")],
    "compare": [
        (*_SMALL, "--methods=erm,amp", "--seeds=1", "--output_dir=out"),
        ("run",),
        ("run", "run2"),
    ],
    "evaluate": [
        ("--run=run", "--output_dir=out", "--verbose=0"),
        (
            "--model_file=run/model.keras",
            "--dataset=digits",
            "--output_dir=out",
        ),
    ],
    "predict": [
        ("--run=run", "--images=images", "--output_file=out.csv"),
        ("--model_file=run/model.keras", "--dataset=digits", "--images=images"),
    ],
    "search": [(*_SMALL, "--max_trials=2", "--output_dir=out")],
}
_NETWORK = """
import keras

def net(input_shape, num_classes):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(num_classes),
        ]
    )
"""
# Where an accepted line has done all that it could do wrong.
_WORK = {
    "train": ("experiments.training", "_fit"),
    "compare": ("experiments.training", "_fit"),
    "search": ("experiments.training", "_fit"),
    "evaluate": ("cli.evaluate", "_evaluate_until_interrupted"),
    "predict": ("cli.predict", "predict"),
}


def write_scene(folder):
    """Writes what command lines name: two runs, images, a network, a file."""
    import numpy as np
    import PIL.Image
    import tiny_runs

    for name in ("run", "run2"):
        tiny_runs.write(folder / name, dataset="digits")
        metrics = {"test_accuracy": 0.5, "test_loss": 1.0, "epochs": 1}
        (folder / name / "metrics.json").write_text(json.dumps(metrics))
    (folder / "images").mkdir()
    for name in ("a.png", "b.png"):
        pixels = np.zeros((8, 8), "uint8")
        PIL.Image.fromarray(pixels).save(folder / "images" / name)
    (folder / "net.py").write_text(_NETWORK)
    (folder / "file").write_text("precious")


def draw_line(rng, command, ours, absl):
    """Returns the arguments of a command, none to two of them odd."""
    line = list(rng.choice(_LINES[command]))
    for _ in range(rng.choice([0, 1, 1, 1, 2])):
        flag = rng.choice(rng.choices([ours, absl], [19, 1])[0])
        value = rng.choice(_ODD)
        odd = [f"--{flag}={value}", f"--{flag}", f"--no{flag}", f"-{flag}"]
        line.append(rng.choices(odd, [20, 1, 1, 1])[0])
    if rng.random() < 0.03:
        line.append(rng.choice(_ODD))
    rng.shuffle(line)
    return line


def damage(rng, folder):
    """Damages a file of a run, and says how."""
    names = ("config.json", "metrics.json", "model.keras")
    path = folder / "run" / rng.choice(names)
    how = rng.choice(list(_DAMAGES))
    _DAMAGES[how](rng, path)
    return f"{path.name} {how}"


def _truncate(rng, path):
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def _flip(rng, path):
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _replace(rng, path):
    texts = ("", "null", "[]", "{}", "1", '"x"', "[" * 100000, "\xff\xfe")
    path.write_bytes(rng.choice(texts).encode("latin1"))


def _delete(rng, path):
    path.unlink()


def _make_folder(rng, path):
    path.unlink()
    path.mkdir()


def _change_value(rng, path):
    if path.suffix != ".json":
        return _flip(rng, path)
    values = json.loads(path.read_text())
    key = rng.choice(list(values))
    odd = (None, [], {}, "x", -1, 1e300, True, float("nan"), 10**30)
    values[key] = rng.choice(odd)
    path.write_text(json.dumps(values))


def _drop_key(rng, path):
    if path.suffix != ".json":
        return _flip(rng, path)
    values = json.loads(path.read_text())
    del values[rng.choice(list(values))]
    path.write_text(json.dumps(values))


_DAMAGES = {
    "truncated": _truncate,
    "with a bit flipped": _flip,
    "replaced": _replace,
    "gone": _delete,
    "a folder": _make_folder,
    "with another value": _change_value,
    "with a key less": _drop_key,
}


class _Accepted(BaseException):
    """The command would now begin its work."""


def findings(command, count, seed):
    """Runs command lines and yields what is wrong with some, as dicts."""
    module = importlib.import_module(f"amp_keras.cli.{command}")
    ours, absl = _flag_names()
    rng = random.Random(f"{command} {seed}")
    with tempfile.TemporaryDirectory() as root:
        scene = pathlib.Path(root) / "scene"
        scene.mkdir()
        log = pathlib.Path(root) / "log"
        if _in_a_fork(lambda: write_scene(scene), log) != 0:
            raise RuntimeError(log.read_text())
        for number in range(count):
            folder = pathlib.Path(root) / "case"
            shutil.copytree(scene, folder)
            done = damage(rng, folder) if rng.random() < 0.3 else ""
            line = draw_line(rng, command, ours, absl)
            wrong = _attempt(module, command, line, folder)
            if wrong:
                line = [argument[:200] for argument in line]
                yield {"number": number, "line": line, "damage": done, **wrong}
            shutil.rmtree(folder)


def _flag_names():
    """Returns the names of our flags, and of those that absl brings."""
    from absl import flags

    ours = {
        flag.name
        for module, defined in flags.FLAGS.flags_by_module_dict().items()
        if "amp_keras" in module or module == "__main__"
        for flag in defined
    }
    return sorted(ours), sorted(set(flags.FLAGS) - ours - _NOT_OURS)


def _attempt(module, command, line, folder):
    """Returns what is wrong with the answer to a line, or `None`."""
    before = _files(folder)
    log = folder.with_name("log")
    start = time.monotonic()
    code = _in_a_fork(lambda: _run(module, command, line, folder), log)
    seconds = round(time.monotonic() - start, 1)
    text = log.read_text(errors="replace")
    answers = re.findall(rf"^{command}\.py: .*$", text, re.MULTILINE)
    if code is None:
        return {"wrong": "hangs", "seconds": seconds, "log": text[-500:]}
    if "Traceback" in text or code not in (0, 2):
        return {"wrong": f"exit code {code}", "log": text[-1500:]}
    if code == 2 and len(answers) != 1:
        return {"wrong": f"{len(answers)} lines", "log": text[-1500:]}
    if code == 2 and _files(folder) != before:
        return {"wrong": "files changed", "log": text[-500:]}
    return None


def _run(module, command, line, folder):
    os.chdir(folder)
    sys.argv = [f"{command}.py", *line]
    where, name = _WORK[command]
    target = importlib.import_module(f"amp_keras.{where}")

    def accept(*arguments, **keywords):
        raise _Accepted

    setattr(target, name, accept)
    with contextlib.suppress(_Accepted):
        module.run()


def _in_a_fork(function, log):
    """Returns the exit code of a process, or `None` if it did not end."""
    pid = os.fork()
    if pid == 0:
        _be_a_process(function, log)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _be_a_process(function, log):
    import traceback

    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    code = 0
    try:
        function()
    except SystemExit as exit:
        code = exit.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code if isinstance(code, int) else 1)


def _files(folder):
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


if __name__ == "__main__":
    command, count, seed = sys.argv[1:]
    for finding in findings(command, int(count), seed):
        print(json.dumps(finding), flush=True)
