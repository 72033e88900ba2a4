package httptask

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzPath(f *testing.F) {
	for _, s := range []string{
		"$", "$.a", "$..a", "$[0]", "$[-1:5:2]", "$['a','b'][0,1]", "$[?(@.a =~ /x/)]", "$[?(@.a in [1,2])]", "$[(@.length-1)]", "$.", "$[", "$[?(", "$['\\u12", "@.a", "",
	} {
		f.Add(s, `{"a":[1,{"a":null}],"b":{"a":"x"}}`)
	}
	f.Fuzz(func(t *testing.T, path, text string) {
		document, err := parseJSON(text)
		if err != nil {
			return
		}
		_, _, _ = pick(path, document)
	})
}

func TestPathsThatWouldExplodeAreRefused(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"$" + strings.Repeat("[0,0]", 30), "$..a..b", "$[?($..a == 1)]", "$." + strings.Repeat("a.", 1000), "$[(@.length)]",
	} {
		_, err := parsePath(path)
		require.ErrorIs(t, err, errPath, path)
	}
}
