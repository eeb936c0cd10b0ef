"""Go's templates: what they give, and what is said of wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.api.mesh.proxy_config import ProxyConfig
from lateen.injection.go_template.errors import TemplateError
from lateen.injection.go_template.go_values import GoMessage, GoObject, GoStruct
from lateen.injection.go_template.template import parse_template
from lateen.injection.template_functions import FUNCTION_NAMES, template_functions

_DATA = GoStruct(
    {
        "ObjectMeta": GoObject({"labels": {"app": "web"}, "annotations": {"a": "1"}}),
        "Spec": GoObject(
            {
                "containers": [{"name": "a", "ports": [{"containerPort": 80}]}, {"name": "istio-proxy"}],
                "dnsPolicy": "Default",
            }
        ),
        "Values": {"global": {"hub": "h", "off": False, "none": None, "list": [1, 2], "map": {"b": 2, "a": 1}}},
        "ProxyConfig": GoMessage(ProxyConfig(proxy_metadata={"K": "V"}, hold_application_until_proxy_starts=True)),
        "Name": "web",
    }
)


def _render(text: str, data: Any = _DATA) -> str:
    return parse_template("t", text, FUNCTION_NAMES).render(data, template_functions({"SET": "yes"}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a{{ .Name }}b", "awebb"),
        ("a {{- .Name -}} b", "awebb"),
        ("a\n{{- /* words */ -}}\nb", "ab"),
        ("{{/* words */}}x", "x"),
        ("{{ `raw \\n` }}{{ \"q\\t\\u00e9\" }}{{ 'a' }}", "raw \\nq\té97"),
        ("{{ 0x10 }} {{ 1.50 }} {{ true }} {{ -3 }}", "16 1.5 true -3"),
        ("{{ .Values.global.missing }}", "<no value>"),
        ("{{ .Values.global.map }} {{ .Values.global.list }}", "map[a:1 b:2] [1 2]"),
        ("{{ .Spec.Containers }}", "[map[name:a ports:[map[containerPort:80]]] map[name:istio-proxy]]"),
        ("{{ .Spec.DNSPolicy }}{{ .Spec.HostNetwork }}{{ .ObjectMeta.Labels.nobody }}", "Default"),
        ("{{ if .Spec.HostNetwork }}y{{ else }}n{{ end }}", "n"),
        ("{{ if eq .Name `x` }}1{{ else if eq .Name `web` }}2{{ else }}3{{ end }}", "2"),
        ("{{ with .Values.global.none }}1{{ else with .Name }}{{ . }}{{ end }}", "web"),
        ("{{ range .Values.global.list }}<{{ . }}>{{ end }}", "<1><2>"),
        ("{{ range $k, $v := .Values.global.map }}{{ $k }}={{ $v }};{{ end }}", "a=1;b=2;"),
        ("{{ range $i, $c := .Spec.Containers }}{{ $i }}{{ $c.Name }}{{ end }}", "0a1istio-proxy"),
        ("{{ range .Values.global.none }}1{{ else }}empty{{ end }}", "empty"),
        ("{{ range .Values.global.list }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ end }}", "1"),
        ("{{ range .Values.global.list }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "2"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}", "32"),
        ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"),
        ("{{ with $x := .Name }}{{ $x }}{{ end }}", "web"),
        ("{{ define `r` }}<{{ . }}{{ $ }}>{{ end }}{{ template `r` .Name }}", "<webweb>"),
        ("{{ block `r` .Name }}[{{ . }}]{{ end }}", "[web]"),
        ("{{ (index .Spec.Containers 0).Name }}", "a"),
        ("{{ index .ObjectMeta.Labels `nobody` | default `d` | quote }}", '"d"'),
        ("{{ and .Name 0 `x` }}{{ or `` 0 `y` }}{{ not `` }}", "0ytrue"),
        ("{{ or true (fail `not looked at`) }}", "true"),
        ("{{ eq 1 2 1 }} {{ ne `a` `b` }} {{ lt 1 2 }} {{ ge 2 2 }} {{ gt `b` `a` }}", "true true true true true"),
        ("{{ printf `%s|%5d|%-4s|%05.1f|%q|%v|%t|%%` `a` 3 `b` 2.55 `c` .Values.global.off true }}",
         'a|    3|b   |002.5|"c"|false|true|%'),
        ("{{ len .Name }}{{ len .Values.global.map }}{{ slice .Name 1 2 }}", "32e"),
        ("{{ print 1 2 `a` 3 }}", "1 2a3"),
        ("{{ .ProxyConfig.InterceptionMode }} {{ .ProxyConfig.InterceptionMode.String }}", "REDIRECT REDIRECT"),
        ("{{ .ProxyConfig.HoldApplicationUntilProxyStarts.GetValue }} {{ .ProxyConfig.StatusPort }}", "true 15020"),
        ("{{ if .ProxyConfig.GetTracing.GetZipkin }}1{{ end }}{{ index .ProxyConfig.ProxyMetadata `K` }}", "V"),
        # Istio's
        ("{{ annotation .ObjectMeta `a` 2 }}{{ annotation .ObjectMeta `b` 2 }}", "12"),
        ("{{ isset .ObjectMeta.Annotations `a` }} {{ isset .ObjectMeta.Annotations `b` }}", "true false"),
        ("{{ valueOrDefault .Values.global.none `d` }} {{ valueOrDefault .Values.global.off `d` }}", "d false"),
        ("{{ excludeInboundPort 15020 `80, 81` }} {{ excludeInboundPort 80 `80,81` }}", "80,81,15020 80,81"),
        ("{{ includeInboundPorts .Spec.Containers }}", "80"),
        ("{{ protoToJSON .ProxyConfig }}", '{"proxyMetadata":{"K":"V"},"holdApplicationUntilProxyStarts":true}'),
        ("{{ structToJSON (index .Spec.Containers 1) }}{{ toJSON .ObjectMeta.Labels }}",
         '{"name":"istio-proxy"}{"app":"web"}'),
        ("{{ (fromJSON `{\"a\": [1]}`).a }}", "[1]"),
        ("x:\n  {{ toYaml .Values.global.map | indent 2 }}|", "x:\n  a: 1\n  b: 2\n  |"),
        ("x:{{ toYaml .Values.global.map | trim | nindent 2 }}", "x:\n  a: 1\n  b: 2"),
        ("{{ appendMultusNetwork `` `istio-cni` }}", "istio-cni"),
        ("{{ appendMultusNetwork `a` `istio-cni` }}", "a, istio-cni"),
        ("{{ env `SET` `d` }} {{ env `HOME` `d` }}", "yes d"),
        ("{{ contains `eb` .Name }} {{ directory `/a/b` }}", "true /a/"),
        # Sprig's
        ("{{ list 1 2 | join `-` }} {{ append (list 1) 2 | len }}", "1-2 2"),
        ("{{ first (list 5 6) }}{{ last (list 5 6) }}", "56"),
        ("{{ dict `a` 1 | hasKey | len }}", "error"),
        ("{{ omit .Values.global.map `a` }} {{ pick .Values.global.map `a` }}", "map[b:2] map[a:1]"),
        ("{{ trunc 2 .Name }}{{ trimSuffix `b` .Name }}", "wewe"),
        ("{{ upper .Name }}{{ replace `w` `v` .Name }}", "WEBveb"),
        ("{{ ternary `a` `b` true }}{{ coalesce `` 0 `c` }}{{ empty `` }}", "actrue"),
        ("{{ add 1 2 3 }} {{ sub 3 1 }} {{ mul 2 3 }} {{ div 7 2 }} {{ mod 7 2 }} {{ max 1 9 }}", "6 2 6 3 1 9"),
        ("{{ merge (dict `a` 1) (dict `a` 2 `b` 3) }}", "map[a:1 b:3]"),
        ("{{ splitList `,` `a,b` | last }} {{ b64enc `a` | b64dec }} {{ sha256sum `` | trunc 4 }}", "b a e3b0"),
        ("{{ regexMatch `^w` .Name }} {{ regexReplaceAll `w(e)` .Name `${1}-` }}", "true e-b"),
        ("{{ without (list 1 2) 2 }} {{ uniq (list 1 1) }} {{ has 1 (list 1) }} {{ sortAlpha (list `b` `a`) }}",
         "[1] [1] true [a b]"),
    ],
)  # fmt: skip
def test_what_templates_give(text: str, expected: str) -> None:
    if expected == "error":
        with pytest.raises(TemplateError):
            _render(text)
    else:
        assert _render(text) == expected


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a\n{{ if }}", 2, "a value is"),
        ("{{ if true }}\n\n", 3, "{{end}} is missing"),
        ("{{ end }}", 1, "nothing that {{end}} ends"),
        ("\n{{ nobody 1 }}", 2, "no function 'nobody'"),
        ("{{ $x }}", 1, "no variable $x"),
        ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", 1, "no variable $x"),
        ('{{ "a }}', 1, "not closed"),
        ("{{ (1 }}", 1, "parenthesis"),
        ("{{ break }}", 1, "outside of {{range}}"),
        ("{{ 1 2 }}", 1, "no arguments"),
        ("{{ .Nobody }}", 1, "there is no .Nobody"),
        ("{{ .Values.a.b }}", 1, ".b of nothing"),
        ("{{ .Name.x }}", 1, "has no field x"),
        ("\n\n{{ index .Values.global.list 9 }}", 3, "index 9 of 2 items"),
        ("{{ eq 1 `a` }}", 1, "cannot be compared"),
        ("{{ printf `%d` `a` }}", 1, "%d wants a number"),
        ("{{ fail `told` }}", 1, "told"),
        ("{{ template `nobody` }}", 1, "no template 'nobody'"),
        ("{{ range .Name }}{{ end }}", 1, "range cannot go through a string"),
        ("{{ trunc }}", 1, "wrong number"),
        ("{{ /* open", 1, "not closed"),
        ("{{ " + "(" * 104 + "1 }}", 1, "too deeply"),
        ("{{ if 1 }}" * 101, 1, "too deeply"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(TemplateError) as problem:
        _render(text)
    assert problem.value.line == line
    assert words in str(problem.value)


@pytest.mark.parametrize(
    "text",
    [
        "{{ define `r` }}{{ template `r` }}{{ end }}{{ template `r` }}",
        "{{ range until 100000 }}{{ range until 100000 }}x{{ end }}{{ end }}",
        "{{ repeat 1000000000 `ab` }}",
        "{{ until 1000000000 }}",
        "{{ printf `%999999999d` 1 }}",
        "{{ $x := `abcdefghij` }}{{ range until 40 }}{{ $x = cat $x $x }}{{ end }}",
        "{{ $x := list 1 }}{{ range until 40 }}{{ $x = concat $x $x }}{{ end }}",
        "{{ range until 2000 }}{{ repeat 1000 `x` }}{{ end }}",
        "{{ $x := `abcdefghij` }}{{ range until 40 }}{{ $x = replace `a` $x $x }}{{ end }}",
        "{{ indent 1000000000 `a\nb` }}",
    ],
)
def test_work_is_bounded(text: str) -> None:
    with pytest.raises(TemplateError):
        _render(text)
