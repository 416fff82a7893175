import subprocess
import sys
import textwrap

ALONE = textwrap.dedent(
    """
    import importlib, pkgutil, sys

    ALLOWED = {"messages", "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"}

    class Doorman:
        def find_spec(self, name, path=None, target=None):
            top = name.partition(".")[0]
            is_ours = top in ALLOWED or top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
            if not is_ours:
                raise ModuleNotFoundError(f"{name} is not pydantic", name=name)
            return None

    sys.meta_path.insert(0, Doorman())
    before = set(sys.modules)
    import messages
    names = sorted(module.name for module in pkgutil.iter_modules(messages.__path__, "messages."))
    for name in names:
        importlib.import_module(name)
    from messages.envelope import decode_request, encode_request
    from messages.examples import example_request
    from messages.schemas import asyncapi
    assert decode_request(encode_request(example_request(), id="i", source="s")).id == "i"
    assert asyncapi()["asyncapi"] == "3.0.0"
    foreign = {name.partition(".")[0] for name in set(sys.modules) - before} - ALLOWED - sys.stdlib_module_names
    foreign = {name for name in foreign if not name.startswith("_sysconfigdata")}
    print(len(names), sorted(foreign))
    """
)


def test_messages_imports_and_works_with_pydantic_alone() -> None:
    run = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=60, check=False)

    assert (run.returncode, run.stderr) == (0, "")
    count, _, foreign = run.stdout.partition(" ")
    assert int(count) > 10
    assert foreign.strip() == "[]"
