package i18n

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed locales/*/*.json
var files embed.FS

// loaded holds the parsed catalogues. They are compiled into the program and
// never change, and templates reach them through ctx alone, so they are parsed
// once on first use instead of being handed from constructor to constructor.
//
//nolint:gochecknoglobals // immutable, derived from embedded files
var loaded = sync.OnceValue(func() map[Locale]map[string]string {
	all, err := parse(files)
	if err != nil {
		panic(fmt.Sprintf("i18n: the embedded catalogue is broken: %v", err))
	}
	return all
})

// parse reads locales/<locale>/<area>.json of every locale. A key that two
// files of one language define is an error: which text wins would be chance.
func parse(fsys fs.FS) (map[Locale]map[string]string, error) {
	all := map[Locale]map[string]string{}
	for _, l := range Locales() {
		messages := map[string]string{}
		owner := map[string]string{}
		names, err := fs.Glob(fsys, path.Join("locales", string(l), "*.json"))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			data, err := fs.ReadFile(fsys, name)
			if err != nil {
				return nil, err
			}
			var area map[string]string
			if err := json.Unmarshal(data, &area); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			for key, text := range area {
				if first, taken := owner[key]; taken {
					return nil, fmt.Errorf("%s: key %q is already defined in %s", name, key, first)
				}
				owner[key] = name
				messages[key] = text
			}
		}
		all[l] = messages
	}
	return all, nil
}

// T returns the message for key in the locale of ctx. args are alternating names
// and values for the {name} placeholders; the value of the argument count also
// chooses the plural form and is written with thousands separators.
//
// An unknown key comes back as it is: a reader can report it, a test finds it.
func T(ctx context.Context, key string, args ...any) string {
	return translate(FromContext(ctx), key, args)
}

// Has reports whether key (or its plural forms) exists.
func Has(key string) bool {
	messages := loaded()[English]
	if _, ok := messages[key]; ok {
		return true
	}
	_, ok := messages[key+".other"]
	return ok
}

// JS returns the messages scripts may use: every key that starts with "js.".
// Plural forms keep their suffix.
func JS(ctx context.Context) map[string]string {
	out := map[string]string{}
	for key, text := range loaded()[FromContext(ctx)] {
		if strings.HasPrefix(key, "js.") {
			out[key] = text
		}
	}
	return out
}

func translate(l Locale, key string, args []any) string {
	messages := loaded()[l]
	text, ok := messages[key]
	if !ok {
		text, ok = messages[key+pluralSuffix(l, args)]
	}
	if !ok {
		text, ok = messages[key+".other"]
	}
	if !ok {
		return key
	}
	if len(args) == 0 || !strings.Contains(text, "{") {
		return text
	}
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		name := fmt.Sprint(args[i])
		value := fmt.Sprint(args[i+1])
		if n, isInt := integer(args[i+1]); isInt && name == "count" {
			value = group(n)
		}
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// pluralSuffix is ".one" for exactly one thing in a language that tells one from
// many, and ".other" for all else.
func pluralSuffix(l Locale, args []any) string {
	if l == Chinese {
		return ".other"
	}
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] != "count" {
			continue
		}
		if n, ok := integer(args[i+1]); ok && n == 1 {
			return ".one"
		}
	}
	return ".other"
}

func integer(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int32:
		return int64(n), true
	case int64:
		return n, true
	default:
		return 0, false
	}
}
