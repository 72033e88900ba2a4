package form_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/form"
)

func schema() form.Schema {
	return form.Schema{
		{Name: "rawScript", Type: form.Code, Label: "l", Required: true, Language: "shell"},
		{Name: "mode", Type: form.Select, Label: "l", Default: "a", Options: []form.Option{{Value: "a"}, {Value: "b", Label: "opt.b"}}},
		{Name: "only", Type: form.Text, Label: "l", Required: true, VisibleWhen: &form.Condition{Field: "mode", In: []string{"b"}}},
		{Name: "limit", Type: form.Number, Label: "l", Default: 5.0, Min: new(1.0), Max: new(10.0)},
		{Name: "on", Type: form.Switch, Label: "l"},
		{Name: "many", Type: form.MultiSelect, Label: "l", Options: []form.Option{{Value: "x"}, {Value: "y"}}},
		{Name: "pairs", Type: form.KeyValues, Label: "l"},
		{Name: "regex", Type: form.Text, Label: "l", Literal: true},
		{Name: "resourceList", Type: form.Resources, Label: "l"},
		{Name: "localParams", Type: form.Params, Label: "l"},
	}
}

func keys(problems []form.Problem) map[string]string {
	m := map[string]string{}
	for _, p := range problems {
		m[p.Field] = p.Key
	}
	return m
}

func TestDefaultsFillWhatIsMissing(t *testing.T) {
	t.Parallel()
	v, problems := form.Decode(schema(), json.RawMessage(`{"rawScript":"ls","limit":null}`))
	require.Empty(t, problems)
	require.Equal(t, "a", v.Text("mode"))
	require.InDelta(t, 5, v.Number("limit"), 0)
	require.False(t, v.Bool("on"))
	require.Empty(t, v.Params("localParams"))
}

func TestEachKindReadsWhatOlderClientsWrite(t *testing.T) {
	t.Parallel()
	v, problems := form.Decode(schema(), json.RawMessage(`{"rawScript":12,"limit":"7","on":"true","many":["y"],
		"pairs":[{"key":"k","value":"v"}],"resourceList":[{"resourceName":"/a/b.sh"}],"varPool":[],"unknown":{"x":1},
		"localParams":[{"prop":"n","value":5},{"prop":"o","direct":"OUT","type":"LIST","value":[1,2]}]}`))
	require.Empty(t, problems)
	require.Equal(t, "12", v.Text("rawScript"))
	require.InDelta(t, 7, v.Number("limit"), 0)
	require.True(t, v.Bool("on"))
	require.Equal(t, []string{"y"}, v.List("many"))
	require.Equal(t, []form.KeyValue{{Key: "k", Value: "v"}}, v.KeyValues("pairs"))
	require.Equal(t, []string{"/a/b.sh"}, v.List("resourceList"))
	require.Equal(t, []form.Param{
		{Prop: "n", Direct: "IN", Type: "VARCHAR", Value: "5"},
		{Prop: "o", Direct: "OUT", Type: "LIST", Value: "[1,2]"},
	}, v.Params("localParams"))
}

func TestAFileKnownByItsNumberAloneIsKept(t *testing.T) {
	t.Parallel()
	s := form.Schema{{Name: "jar", Type: form.Resource, Required: true}, {Name: "files", Type: form.Resources}}
	v, problems := form.Decode(s, json.RawMessage(`{"jar":{"id":3},"files":[{"id":"4"},{"id":5,"resourceName":"/a"},{"res":"b","id":[1]}]}`))
	require.Empty(t, problems)
	require.Equal(t, []string{"id:3", "id:4", "/a", "b"}, v.Resources(s))
	_, problems = form.Decode(s, json.RawMessage(`{"jar":{"id":"x"},"files":[{"id":0}]}`))
	require.Len(t, problems, 2)
}

func TestEveryBadFieldIsNamed(t *testing.T) {
	t.Parallel()
	got := keys(form.Validate(schema(), json.RawMessage(`{"rawScript":" \n","mode":"c","limit":11,"on":"perhaps",
		"many":["z"],"pairs":[{"key":" "}],"regex":"a\u0000b","resourceList":[{}],"localParams":[{"prop":"a"},{"prop":"a"}]}`)))
	require.Equal(t, map[string]string{
		"rawScript": "form.required", "mode": "form.unknown_option", "limit": "form.too_large", "on": "form.wrong_type",
		"many": "form.unknown_option", "pairs": "form.key_missing", "regex": "form.bad_character",
		"resourceList": "form.resource_name_missing", "localParams": "form.param.name_taken",
	}, got)
}

func TestParametersAreCheckedOneByOne(t *testing.T) {
	t.Parallel()
	for raw, key := range map[string]string{
		`[{"prop":" "}]`:                                "form.param.name_missing",
		`[{"prop":"a","direct":"UP"}]`:                  "form.param.bad_direction",
		`[{"prop":"a","type":"TEXT"}]`:                  "form.param.bad_type",
		`[{"prop":"a\u0000"}]`:                          "form.bad_character",
		`[{"prop":"` + strings.Repeat("é", 257) + `"}]`: "form.param.name_too_long",
		`{"prop":"a"}`:                                  "form.wrong_type",
	} {
		got := form.Validate(schema(), json.RawMessage(`{"rawScript":"x","localParams":`+raw+`}`))
		require.Len(t, got, 1, raw)
		require.Equal(t, key, got[0].Key, raw)
	}
	require.Empty(t, form.Validate(schema(), json.RawMessage(
		`{"rawScript":"x","localParams":[{"prop":"a","direct":"IN"},{"prop":"a","direct":"OUT"}]}`)), "a name may go in and come out")
}

func TestAHiddenFieldIsNotRequired(t *testing.T) {
	t.Parallel()
	require.Empty(t, form.Validate(schema(), json.RawMessage(`{"rawScript":"x"}`)))
	require.Equal(t, map[string]string{"only": "form.required"}, keys(form.Validate(schema(), json.RawMessage(`{"rawScript":"x","mode":"b"}`))))
}

func TestGarbageIsAProblemAndNeverAPanic(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`[]`, `"x"`, `{`, `1`, "\xff\xfe", `{"rawScript":{}}`, `{"rawScript":["a"]}`, `{"limit":"NaN","rawScript":"x"}`, ``, `null`} {
		require.NotEmpty(t, form.Validate(schema(), json.RawMessage(raw)), raw)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"rawScript":"x","localParams":[{"prop":"a","value":{}}]}`)
	f.Fuzz(func(_ *testing.T, raw string) { form.Decode(schema(), json.RawMessage(raw)) })
}

func TestExpandLeavesLiteralFieldsAlone(t *testing.T) {
	t.Parallel()
	v, problems := form.Decode(schema(), json.RawMessage(`{"rawScript":"$x","regex":"$x","mode":"a","pairs":[{"key":"$x","value":"$x"}],"localParams":[{"prop":"p","value":"$x"}]}`))
	require.Empty(t, problems)
	require.NoError(t, v.Expand(schema(), func(s string) (string, error) { return strings.ReplaceAll(s, "$x", "1"), nil }))
	require.Equal(t, "1", v.Text("rawScript"))
	require.Equal(t, "$x", v.Text("regex"))
	require.Equal(t, []form.KeyValue{{Key: "1", Value: "1"}}, v.KeyValues("pairs"))
	require.Equal(t, "$x", v.Params("localParams")[0].Value)
	require.Error(t, v.Expand(schema(), func(string) (string, error) { return "", errors.New("bad") }))
}

func TestTheBrowserGetsTranslatedFields(t *testing.T) {
	t.Parallel()
	out, err := json.Marshal(schema().Describe(func(key string) string { return "<" + key + ">" })[1])
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"mode","type":"select","label":"<l>","required":false,"default":"a","advanced":false,
		"options":[{"value":"a","label":"a"},{"value":"b","label":"<opt.b>"}]}`, string(out))
}

func TestANameWithADotIsAMemberOfAnInnerObject(t *testing.T) {
	t.Parallel()
	s := form.Schema{
		{Name: "rule", Type: form.Text, Label: "l"},
		{Name: "in.kind", Type: form.Select, Label: "l", Default: "a", Options: []form.Option{{Value: "a"}, {Value: "b"}}},
		{Name: "in.text", Type: form.Text, Label: "l", Required: true, Alias: "in.old", VisibleWhen: &form.Condition{Field: "in.kind", In: []string{"b"}}},
		{Name: "in.source", Type: form.Source, Label: "l"},
	}
	v, problems := form.Decode(s, json.RawMessage(`{"rule":"r","in":{"kind":"b","text":"${x}","source":"7","more":[1]}}`))
	require.Empty(t, problems)
	require.Equal(t, "b", v.Text("in.kind"))
	require.Equal(t, int64(7), v.ID("in.source"))
	require.NoError(t, v.Expand(s, func(text string) (string, error) { return strings.ReplaceAll(text, "${x}", "y"), nil }))
	require.Equal(t, "y", v.Text("in.text"))
	v, problems = form.Decode(s, json.RawMessage(`{"in":{"kind":"b","old":"o"}}`))
	require.Empty(t, problems)
	require.Equal(t, "o", v.Text("in.text"))
	for _, raw := range []string{``, `{}`, `{"in":null}`, `{"in":{}}`, `{"in.kind":"b"}`} {
		v, problems = form.Decode(s, json.RawMessage(raw))
		require.Empty(t, problems, raw)
		require.Equal(t, "a", v.Text("in.kind"), raw)
	}
	_, problems = form.Decode(s, json.RawMessage(`{"in":{"kind":"b"}}`))
	require.Equal(t, map[string]string{"in.text": "form.required"}, keys(problems))
	for _, raw := range []string{`{"in":7}`, `{"in":"{}"}`, `{"in":[]}`} {
		_, problems = form.Decode(s, json.RawMessage(raw))
		require.Equal(t, "form.wrong_type", keys(problems)["in.kind"], raw)
	}
}
