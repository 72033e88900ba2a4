package java

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheClassOfASourceIsFound(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"public class A {}": "A",
		"package a.b . c;\nimport x.Y;\npublic final  class Ab1 {}":                                    "a.b.c.Ab1",
		"// public class No\n/* public class No */\npublic class Yes {}":                               "Yes",
		"class Helper { String s = \"public class No {\\\"\"; char c = '\\''; }\npublic class Main {}": "Main",
		"class First {} class Second {}":                                                               "First",
		"public record R(int a) {}":                                                                    "R",
		"@Deprecated public\nabstract class X<T> {}":                                                   "X",
		"public class 测试 {}":                                                                           "测试",
		"\uFEFFpublic class B {}":                                                                      "B",
		"String s = \"\"\"\n public class No \"\"\"; public enum E {}":                                 "E",
		"public class $weird_ {}":                                                                      "$weird_",
		"import my.publicclass.Foo; public interface I {}":                                             "I",
		"":                      "",
		"System.out.println();": "",
		"\"unfinished":          "",
		"/* unfinished":         "",
		"public class " + strings.Repeat("x", 300) + " {}": "",
		"public class ../../x {}":                          "",
	} {
		c, ok := findClass(source)
		require.Equal(t, want != "", ok, source)
		require.Equal(t, want, c.full(), source)
	}
}

func FuzzClass(f *testing.F) {
	f.Add("package a; public class B { String s = \"\\\"\"; }")
	f.Fuzz(func(t *testing.T, source string) {
		if c, ok := findClass(source); ok {
			require.NotContains(t, c.name, "/")
			require.NotContains(t, c.full(), "'")
		}
	})
}
