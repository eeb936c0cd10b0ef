from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lateen.cli.main import main

GOOD = """\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: good}
spec:
  mtls: {mode: STRICT}
"""
BAD = """\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: bad, namespace: shop}
spec:
  selector: {}
  mtls:
    mode: STRICTLY
"""
WRONG_MODE = 'expected one of UNSET, DISABLE, PERMISSIVE, STRICT, got "STRICTLY"; did you mean STRICT?'
OTHER = "apiVersion: example.com/v1\nkind: Boat\nmetadata: {name: a}\n"


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["validate", *arguments], input=stdin)


def test_good_manifests_pass() -> None:
    result = run("-f", "-", stdin=GOOD)
    assert result.exit_code == 0
    assert result.output == "1 object judged: 0 errors, 0 warnings\n"


def test_errors_are_printed_with_their_place_and_fail(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"{GOOD}---\n{BAD}")
    result = run("-f", str(path))
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"{path}:13: error: PeerAuthentication shop/bad: spec.mtls.mode: {WRONG_MODE}",
        "2 objects judged: 1 error, 0 warnings",
    ]


def test_warnings_are_no_errors() -> None:
    result = run("-f", "-", stdin=BAD.replace("STRICTLY", "STRICT"))
    assert result.exit_code == 0
    assert result.output.splitlines()[0].startswith("-:5: warning: PeerAuthentication shop/bad: spec.selector: ")
    assert result.output.splitlines()[-1] == "1 object judged: 0 errors, 1 warning"


def test_kinds_of_others_are_skipped_and_counted() -> None:
    result = run("-f", "-", stdin=f"{OTHER}---\n{GOOD}---\n{OTHER}")
    assert result.exit_code == 0
    assert result.output == "1 object judged: 0 errors, 0 warnings; 2 objects of other kinds skipped\n"


@pytest.mark.parametrize(
    ("replaced", "by", "message"),
    [
        ("kind: PeerAuthentication", "kind: PeerAuthn", "security.istio.io has no kind PeerAuthn"),
        ("security.istio.io/v1", "security.istio.io/v7", "PeerAuthentication has no version v7"),
    ],
)
def test_unknown_kinds_and_versions_of_the_mesh_are_errors(replaced: str, by: str, message: str) -> None:
    result = run("-f", "-", stdin=GOOD.replace(replaced, by))
    assert result.exit_code == 1
    assert message in result.output


def test_lists_json_and_directories_are_read(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "good.yml").write_text(GOOD)
    items = [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {}} for name in "ab"]
    (tmp_path / "list.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    (tmp_path / "notes.txt").write_text("no manifest")
    result = run("-f", str(tmp_path), "-f", "-", stdin=GOOD.replace("good", "other"))
    assert result.exit_code == 0
    assert result.output == "4 objects judged: 0 errors, 0 warnings\n"


def test_data_for_scripts() -> None:
    result = run("-f", "-", "-o", "json", stdin=f"{BAD}---\n{OTHER}")
    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "errors": 1,
        "warnings": 0,
        "valid": 0,
        "invalid": 1,
        "skipped": 1,
        "findings": [
            {
                "file": "-",
                "line": 7,
                "kind": "PeerAuthentication",
                "name": "shop/bad",
                "path": "spec.mtls.mode",
                "severity": "error",
                "message": WRONG_MODE,
                "code": "",
            }
        ],
    }


@pytest.mark.parametrize(
    ("text", "line"), [("a: [", 2), ("kind: A\nkind: B\n", 2), ("- 1\n", 1), ("apiVersion: v1\nkind: Pod\n", 1)]
)
def test_what_is_no_manifest_is_an_error(text: str, line: int) -> None:
    result = run("-f", "-", stdin=text)
    assert result.exit_code == 1
    assert result.output.startswith(f"-:{line}: error: ")


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    result = run("-f", str(tmp_path / "absent.yaml"))
    assert result.exit_code == 1
    assert "absent.yaml: No such file or directory" in result.output
    result = run("-f", str(tmp_path))
    assert result.exit_code == 1
    assert "has no files ending in .yaml, .yml, .json" in result.output


def test_aliases_cannot_blow_up_a_file() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    result = run("-f", "-", stdin="\n".join(lines))
    assert result.exit_code == 1
    assert "aliases expand to more than" in result.output


def test_the_meshs_own_configuration_is_judged_where_it_lies() -> None:
    text = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    outboundTrafficPolicy: {mode: ALLOW_SOME}
"""
    result = run("-f", "-", stdin=text)
    assert result.exit_code == 1
    start = "-:5: error: ConfigMap istio-system/istio: data.mesh.outboundTrafficPolicy.mode: expected one of "
    assert result.output.startswith(start)
    assert run("-f", "-", stdin=text.replace("name: istio,", "name: other,")).exit_code == 0


def test_injections_configuration_is_judged_where_it_lies() -> None:
    text = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: istio-sidecar-injector-canary, namespace: istio-system}
data:
  config: |
    policy: sometimes
  values: |
    {"global": {"proxy": {"logLvl": "info"}}}
"""
    result = run("-f", "-", stdin=text)
    assert result.exit_code == 1
    assert "data.config.policy: expected one of" in result.output
    assert "data.values.global.proxy.logLvl: unknown field" in result.output


def test_an_object_that_is_there_twice_is_warned_about() -> None:
    other = GOOD.replace("name: good", "name: other")
    result = run("-f", "-", stdin=f"{GOOD}---\n{other}---\n{GOOD.replace('/v1', '/v1beta1')}")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "-:15: warning: PeerAuthentication default/good: metadata.name: "
        "the same object as at -:1: only one of them can be applied",
        "3 objects judged: 0 errors, 1 warning",
    ]


@pytest.mark.parametrize("text", ["a: " + "[" * 50_000, '{"a": ' + "[" * 100_000, "- " * 100_000])
def test_no_depth_of_nesting_ends_the_process(text: str) -> None:
    result = run("-f", "-", stdin=text)
    assert result.exit_code == 1
    assert result.output.startswith("-:1: error: nested too deeply")


def test_kinds_that_nothing_honours_yet_say_so() -> None:
    text = "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: a}\nspec: {}\n"
    result = run("-f", "-", stdin=text)
    assert result.exit_code == 0
    assert result.output.splitlines()[0] == (
        "-:4: warning: RequestAuthentication default/a: spec: not enforced yet by this version: tokens are not verified"
    )


def test_what_cannot_be_evaluated_is_an_error() -> None:
    text = (
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\nspec:\n  rules:\n"
        "  - from:\n    - source: {namespaces: [a]}\n    - source:\n        requestPrincipals: ['*']\n"
    )
    result = run("-f", "-", stdin=text)
    assert result.exit_code == 1
    assert result.output.splitlines()[0] == (
        "-:9: error: AuthorizationPolicy default/a: spec.rules[0].from[1].source.requestPrincipals: requestPrincipals "
        "is not supported yet by this version, which verifies no tokens: the rule allows nothing"
    )
