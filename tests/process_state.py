"""What a call must leave as it is: the state of the process that torch, NumPy, Python and matplotlib share between all code in it."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
import warnings
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from torch import nn

PATCHED = ((nn.Module, ("__call__", "__getattr__", "__setattr__", "forward", "to", "train")), (torch.Tensor, ("__torch_function__",)))


def state() -> dict[str, Any]:
    """The state of this process, by the names of its parts."""
    found: dict[str, Any] = {
        "threads": torch.get_num_threads(),
        "threads of a new thread": _of_new_thread(torch.get_num_threads),
        "dtype": torch.get_default_dtype(),
        "device": str(torch.get_default_device()),
        "modes": [type(mode).__name__ for mode in torch.overrides._get_current_function_mode_stack()],
        "dispatch modes": len(torch.utils._python_dispatch._get_current_dispatch_mode_stack()),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": {kind: (torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in ("cpu", "cuda")},
        "autocast cache": torch.is_autocast_cache_enabled(),
        "deterministic": (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark),
        "precision": torch.get_float32_matmul_precision(),
        "anomaly": torch.is_anomaly_enabled(),
        "random": random.getstate(),
        "numpy": str(np.random.get_state()),  # noqa: NPY002
        "torch": torch.get_rng_state().tolist(),
        "cuda": [each.tolist() for each in torch.cuda.get_rng_state_all()] if torch.cuda.is_available() else [],
        "numpy errors": np.geterr(),
        "print options": (str(torch._tensor_str.PRINT_OPTS), str(np.get_printoptions())),
        "warnings": [*warnings.filters],
        "show warning": (warnings.showwarning, warnings.warn),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "rcParams": {**mpl.rcParams},
        "backend": mpl.get_backend(),
        "files": _files(),
        "environment": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
        "folder": os.getcwd(),
        "streams": (sys.stdout, sys.stderr, sys.excepthook, threading.excepthook, sys.gettrace(), sys.getprofile()),
        "limits": (sys.getrecursionlimit(), sys.getswitchinterval()),
        "path": [*sys.path],
        "logging": _logging(),
        "patches": [getattr(owner, name) for owner, names in PATCHED for name in names],
        "exports": (torch.compiler.is_exporting(), torch.fx._symbolic_trace._is_fx_tracing_flag, torch.fx._symbolic_trace._Patcher),
        "running": sorted(each.name for each in threading.enumerate() if each.name != "tqdm_monitor"),
    }
    if "igraph" in sys.modules:
        found["igraph"] = random.getstate()  # its generator is that of Python
    return found


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The parts that differ."""
    found = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
    for name in [name for name in ("logging",) if name in found]:
        found[name] = tuple({key: value for key, value in part.items() if key in before[name]} for part in found[name])  # type: ignore
        if found[name][0] == found[name][1]:
            del found[name]
    return found


def _of_new_thread(function: Any) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def _files() -> list[str]:
    """What is open, where the system says."""
    if not os.path.isdir("/proc/self/fd"):
        return []
    names = []
    for number in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # of the list itself
            continue
    return sorted(name for name in names if not name.endswith("/fd"))


def _logging() -> dict[str, Any]:
    """Of loggers that are there; those that come with an import are new. The handler of torch's own trace ends with its first record."""
    loggers = {name: logger for name, logger in logging.root.manager.loggerDict.items() if isinstance(logger, logging.Logger)}
    known = {"root": logging.root, **loggers}
    del known["torch.__trace"]
    found = {}
    for name, each in known.items():
        handlers = [handler for handler in each.handlers if not type(handler).__module__.startswith("_pytest")]
        found[name] = (each.level, each.propagate, each.disabled, handlers, [*each.filters])
    return found
