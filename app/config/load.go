package config

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"

	"dorado/app/kit/secret"
)

//go:embed dorado.yaml
var reference string

// Reference is the annotated default configuration.
func Reference() string { return reference }

// envPrefix begins every environment variable that sets a key: DORADO_WORKER_EXEC_DIR is worker.exec-dir.
const envPrefix = "DORADO_"

// Variables that are read elsewhere, under the same prefix.
var otherVariables = []string{"DORADO_ADMIN_PASSWORD", "DORADO_CONFIG", "DORADO_BACKUP_PASSPHRASE", "DORADO_SERVER", "DORADO_TOKEN", "DORADO_PROJECT"}

// Source is where settings come from.
type Source struct {
	File    string            // YAML; "" = none
	Environ []string          // as os.Environ
	Flags   map[string]string // key → value, the strongest
}

// Load reads the configuration. The error lists everything that is wrong, each with its key.
func Load(s Source) (Config, error) {
	k := koanf.New(".")
	if s.File != "" {
		data, err := os.ReadFile(s.File)
		if err != nil {
			return Config{}, fmt.Errorf("read the configuration: %w", err)
		}
		if err := k.Load(rawbytes.Provider(data), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("%s: %w", s.File, err)
		}
		if k, err = translate(k); err != nil {
			return Config{}, fmt.Errorf("%s: %w", s.File, err)
		}
	}
	keys, err := known()
	if err != nil {
		return Config{}, err
	}
	var problems []error
	for _, key := range k.Keys() {
		if !slices.Contains(keys, key) {
			problems = append(problems, fmt.Errorf("%s: there is no such key in %s", key, s.File))
		}
	}
	fromEnv, err := variables(s.Environ, keys)
	problems = append(problems, err)
	over := map[string]any{}
	maps.Copy(over, fromEnv)
	for key, value := range s.Flags {
		if !slices.Contains(keys, key) {
			problems = append(problems, fmt.Errorf("%s: there is no such key", key))
			continue
		}
		over[key] = value
	}
	if err := errors.Join(problems...); err != nil {
		return Config{}, err
	}
	if err := k.Load(confmap.Provider(over, "."), nil); err != nil {
		return Config{}, err
	}
	data := k.String("data")
	if data == "" {
		data = "./dorado-data"
	}
	if data, err = filepath.Abs(data); err != nil {
		return Config{}, fmt.Errorf("data: %w", err)
	}
	c := Default(data)
	decode := &mapstructure.DecoderConfig{
		Result: &c, WeaklyTypedInput: true, TagName: "koanf",
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(",")),
	}
	if err := k.UnmarshalWithConf("", &c, koanf.UnmarshalConf{Tag: "koanf", DecoderConfig: decode}); err != nil {
		return Config{}, err
	}
	c.Data = data
	return c, c.Validate()
}

// known lists every key.
func known() ([]string, error) {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(Default("data"), "koanf"), nil); err != nil {
		return nil, err
	}
	return k.Keys(), nil
}

// variables reads DORADO_* from an environment. A variable that sets no key is an error: it is a typing mistake.
func variables(environ, keys []string) (map[string]any, error) {
	byName := map[string]string{}
	for _, key := range keys {
		byName[envPrefix+strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))] = key
	}
	found := map[string]any{}
	var problems []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(otherVariables, name) || strings.HasPrefix(name, "DORADO_TEST_") || name == "DORADO_ARTIFACTS" {
			continue
		}
		key, ok := byName[name]
		if !ok {
			problems = append(problems, fmt.Errorf("%s: no key has this name", name))
			continue
		}
		found[key] = value
	}
	return found, errors.Join(problems...)
}

// Print writes the effective configuration as "key: value" lines, secrets masked.
func (c Config) Print() (string, error) {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(c, "koanf"), nil); err != nil {
		return "", err
	}
	var out strings.Builder
	for _, key := range k.Keys() {
		value := k.Get(key)
		if s, ok := value.(secret.String); ok {
			value = s.String()
		}
		for _, hidden := range []string{".secret", "-secret", "password", ".secret-key", ".secret-id", ".token"} {
			if text, ok := value.(string); ok && strings.HasSuffix(key, hidden) {
				value = secret.String(text).String()
			}
		}
		fmt.Fprintf(&out, "%s: %v\n", key, value)
	}
	return out.String(), nil
}
