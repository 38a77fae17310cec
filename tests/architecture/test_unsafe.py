"""Modules and functions that run or unpack what they are given: nothing of ours uses one."""

import ast
from collections.abc import Iterator

from tests.architecture.source import Source, sources

# What each has done to others: code from a pickle, entities from XML, files outside a folder from an archive.
UNSAFE = frozenset({"pickle", "marshal", "shelve", "dill", "yaml", "xml", "lxml", "tarfile", "zipfile"})
# Names that would run text, or guess a file's name before it is made.
CALLS = frozenset({"eval", "exec", "compile", "__import__", "mktemp"})
# Task files are YAML. Their reader has nodes composed, and nothing constructed.
READS_YAML = "src/entrepot/tasks/language/documents.py"
# Contexts are tar files. Their reader is given headers by tarfile, and makes files itself. Two are only written.
READS_TAR = "src/entrepot/tasks/contexts/unpack.py"
WRITE_TAR = ("src/entrepot/cli/online/packing.py", "src/entrepot/tasks/engines/docker/image.py")
EXTRACTS = frozenset({"extract", "extractall", "extractfile", "makefile", "makelink", "unpack_archive"})
COMPOSES = frozenset(
    {"SafeLoader", "Node", "ScalarNode", "MappingNode", "SequenceNode", "YAMLError", "MarkedYAMLError"}
)
CONSTRUCTS = frozenset({"load", "get_data", "get_single_data", "construct_document", "construct_object"})


def test_no_module_of_ours_reads_what_could_run_or_unpack_itself() -> None:
    found = [f"{source.name}: {name}" for source in sources() for name in _imported(source) if _root(name) in UNSAFE]
    expected = [f"{READS_YAML}: yaml", *(f"{name}: tarfile" for name in (READS_TAR, *WRITE_TAR))]
    assert sorted(found) == sorted(expected)


def test_what_reads_yaml_constructs_nothing() -> None:
    (reader,) = [source for source in sources() if source.name == READS_YAML]
    attributes = [node for node in ast.walk(reader.tree) if isinstance(node, ast.Attribute)]
    used = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "yaml"}
    assert used
    assert used <= COMPOSES
    assert not {node.attr for node in attributes} & CONSTRUCTS


def test_what_reads_tar_files_extracts_nothing_with_the_library() -> None:
    (reader,) = [source for source in sources() if source.name == READS_TAR]
    attributes = {node.attr for node in ast.walk(reader.tree) if isinstance(node, ast.Attribute)}
    assert "TarFile" in attributes
    assert not attributes & EXTRACTS


def test_what_writes_a_tar_file_reads_none() -> None:
    writers = [source for source in sources() if source.name in WRITE_TAR]
    assert len(writers) == len(WRITE_TAR)
    nodes = [node for writer in writers for node in ast.walk(writer.tree)]
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert not attributes & {*EXTRACTS, "getmembers", "getmember", "next"}


def test_no_module_of_ours_runs_text() -> None:
    found = [f"{source.name}:{call.lineno}" for source in sources() for call in _calls(source)]
    assert found == []


def _imported(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module


def _calls(source: Source) -> Iterator[ast.Call]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield node


def _root(module: str) -> str:
    return module.partition(".")[0]
