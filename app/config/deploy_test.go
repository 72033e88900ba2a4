package config_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"dorado/app/config"
)

// deploy holds the files that this test keeps in order.
const deploy = "../../docs/deploy"

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	doc, err := jsonschema.UnmarshalJSON(f)
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource(name, doc))
	s, err := c.Compile(name)
	require.NoError(t, err)
	return s
}

func text(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(deploy, name))
	require.NoError(t, err)
	return string(raw)
}

// documents reads YAML, one or more documents.
func documents(t *testing.T, name, raw string) []map[string]any {
	t.Helper()
	var docs []map[string]any
	for dec := yaml.NewDecoder(strings.NewReader(raw)); ; {
		var doc map[string]any
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs
		}
		require.NoError(t, err, name)
		docs = append(docs, doc)
	}
}

// below follows keys into maps, and "0", "1" … into lists; what is missing is nil.
func below(doc any, path ...string) any {
	for _, key := range path {
		switch at := doc.(type) {
		case map[string]any:
			doc = at[key]
		case []any:
			if len(at) == 0 {
				return nil
			}
			doc = at[0]
		default:
			return nil
		}
	}
	return doc
}

// starts requires that a process with this environment likes its configuration, and that nothing is left to the defaults
// which a process of a cluster must be told.
func starts(t *testing.T, who string, environ map[string]string) config.Config {
	t.Helper()
	var list []string
	for k, v := range environ {
		list = append(list, k+"="+v)
	}
	c, err := config.Load(config.Source{Environ: list})
	require.NoError(t, err, who)
	return c
}

func TestTheComposeFileIsOneAndItsProcessesLikeTheirSettings(t *testing.T) {
	t.Parallel()
	given := environment(t, "compose.env.example")
	raw := interpolate(t, text(t, "compose.yaml"), given)
	doc := documents(t, "compose.yaml", raw)[0]
	require.NoError(t, schema(t, "compose.schema.json").Validate(plain(doc)))

	masters, workers := 0, 0
	services := doc["services"].(map[string]any)
	for name, service := range services {
		command, _ := below(service, "command").([]any)
		for _, volume := range asList(below(service, "volumes")) {
			source, _, _ := strings.Cut(volume.(string), ":")
			if file, local := strings.CutPrefix(source, "./"); local {
				require.FileExists(t, filepath.Join(deploy, file))
			} else {
				require.Contains(t, doc["volumes"], source)
			}
		}
		for needs := range asMap(below(service, "depends_on")) {
			require.Contains(t, services, needs, "%s depends on it", name)
		}
		if len(command) == 0 {
			continue
		}
		environ := map[string]string{}
		for k, v := range asMap(below(service, "environment")) {
			environ[k], _ = v.(string)
		}
		c := starts(t, name, environ)
		require.Equal(t, "zookeeper", c.Cluster.Kind())
		switch command[0] {
		case "master":
			masters++
			require.Equal(t, name, c.Master.Name)
			require.Contains(t, text(t, "nginx/dorado.conf"), "server "+name+":12345")
		case "worker":
			workers++
			require.Equal(t, name, c.Worker.Name)
			require.Empty(t, c.Database, "a worker does not know the database")
		default:
			t.Errorf("%s runs %v", name, command)
		}
	}
	require.GreaterOrEqual(t, masters, 2)
	require.GreaterOrEqual(t, workers, 2)
}

// environment reads NAME=value lines.
func environment(t *testing.T, name string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.SplitSeq(text(t, name), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		require.True(t, ok, "%s: %q", name, line)
		out[key] = value
	}
	return out
}

// interpolate does what compose does with ${NAME:-default} and ${NAME:?message}.
func interpolate(t *testing.T, raw string, given map[string]string) string {
	t.Helper()
	return regexp.MustCompile(`\$\{(\w+)(:[-?])?([^}]*)\}`).ReplaceAllStringFunc(raw, func(m string) string {
		part := regexp.MustCompile(`\$\{(\w+)(:[-?])?([^}]*)\}`).FindStringSubmatch(m)
		value := given[part[1]]
		if value == "" && part[2] == ":-" {
			value = part[3]
		}
		require.False(t, value == "" && part[2] == ":?", "compose.env.example does not set %s", part[1])
		return value
	})
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func asList(v any) []any {
	l, _ := v.([]any)
	return l
}

// plain gives YAML's values the types that JSON has.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = plain(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(e)
		}
		return out
	default:
		return v
	}
}

func TestKubernetesObjectsAreWhatTheirKindsAllow(t *testing.T) {
	t.Parallel()
	s := schema(t, "kubernetes.schema.json")
	n := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(deploy, "kubernetes"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(deploy, path)
		require.NoError(t, err)
		for _, doc := range documents(t, name, text(t, name)) {
			if doc["kind"] == "Kustomization" {
				files := asList(doc["resources"])
				for _, patch := range asList(doc["patches"]) {
					files = append(files, below(patch, "path"))
				}
				for _, file := range files {
					_, err := os.Stat(filepath.Join(filepath.Dir(path), file.(string)))
					require.NoError(t, err, name)
				}
				continue
			}
			n++
			require.NoError(t, s.Validate(plain(doc)), name)
			require.Equal(t, "dorado", or(below(doc, "metadata", "namespace"), below(doc, "metadata", "name")), name)
		}
		return nil
	}))
	require.Greater(t, n, 15)
	for _, wrong := range []string{
		"{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {port: 1}}",
		"{apiVersion: apps/v1beta1, kind: StatefulSet, metadata: {name: x}}",
		"{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}, spec: {replicas: two}}",
		"{apiVersion: v1, kind: Pot, metadata: {name: x}}",
	} {
		require.Error(t, s.Validate(plain(documents(t, "", wrong)[0])), "this test notices mistakes: %s", wrong)
	}
}

func or(v, other any) any {
	if v == nil {
		return other
	}
	return v
}

func TestPodsLikeTheirSettings(t *testing.T) {
	t.Parallel()
	given := map[string]map[string]string{}
	for _, file := range []string{"config.yaml", "secret.example.yaml"} {
		for _, doc := range documents(t, file, text(t, "kubernetes/base/"+file)) {
			values := map[string]string{}
			for _, part := range []string{"data", "stringData"} {
				for k, v := range asMap(doc[part]) {
					values[k], _ = v.(string)
				}
			}
			given[doc["kind"].(string)+"/"+below(doc, "metadata", "name").(string)] = values
		}
	}
	zookeeper := map[string]string{"DORADO_CLUSTER_ZOOKEEPER_PASSWORD": "change-me"}
	for k, v := range asMap(documents(t, "", text(t, "kubernetes/zookeeper/config.yaml"))[0]["data"]) {
		zookeeper[k], _ = v.(string)
	}
	for _, who := range []string{"master", "worker"} {
		for _, doc := range documents(t, who, text(t, "kubernetes/base/"+who+".yaml")) {
			if doc["kind"] != "StatefulSet" {
				continue
			}
			pod := below(doc, "spec", "template", "spec")
			require.Equal(t, false, below(pod, "enableServiceLinks"), "else Kubernetes adds variables like DORADO_PORT, which are no keys")
			container := below(pod, "containers", "0")
			require.Equal(t, []any{who}, below(container, "args"))
			environ := map[string]string{}
			for _, from := range asList(below(container, "envFrom")) {
				for kind, ref := range map[string]any{"ConfigMap": below(from, "configMapRef"), "Secret": below(from, "secretRef")} {
					if ref != nil {
						maps.Copy(environ, given[kind+"/"+below(ref, "name").(string)])
					}
				}
			}
			for _, v := range asList(below(container, "env")) {
				value, ok := below(v, "value").(string)
				if !ok {
					value = "dorado-" + who + "-0" // the name of the pod
				}
				environ[below(v, "name").(string)] = regexp.MustCompile(`\$\((\w+)\)`).ReplaceAllStringFunc(value, func(m string) string {
					return environ[m[2:len(m)-1]]
				})
			}
			c := starts(t, who, environ)
			require.Equal(t, "postgres", c.Cluster.Kind())
			require.Len(t, c.Cluster.Masters, 2)
			require.Equal(t, who == "worker", c.Database == "", "the worker has no database, the master has")
			if grace := below(pod, "terminationGracePeriodSeconds"); who == "worker" {
				require.Greater(t, grace, int(c.Worker.DrainTimeout.Seconds())+20, "the pod must outlive the drain of its tasks")
			}
			maps.Copy(environ, zookeeper)
			require.Equal(t, "zookeeper", starts(t, who+" over ZooKeeper", environ).Cluster.Kind())
		}
	}
}

func TestEnvironmentFilesOfServicesAreLiked(t *testing.T) {
	t.Parallel()
	m := starts(t, "master", environment(t, "systemd/master.env"))
	require.Equal(t, "zookeeper", m.Cluster.Kind())
	w := starts(t, "worker", environment(t, "systemd/worker.env"))
	require.Empty(t, w.Database)
	require.Equal(t, m.Storage.S3, w.Storage.S3, "masters read where workers write")
	starts(t, "standalone", environment(t, "systemd/standalone.env"))
}

func TestEveryVariableInTheFilesAndTheImageIsAKey(t *testing.T) {
	t.Parallel()
	elsewhere := []string{"DORADO_IMAGE", "DORADO_BACKUP_PASSPHRASE"}
	found := map[string]string{}
	collect := func(path string) {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`DORADO_[A-Z0-9_]*[A-Z0-9]\b`).FindAll(raw, -1) {
			found[string(name)] = path
		}
		if strings.HasSuffix(path, "README.md") {
			reference := config.Reference()
			for _, key := range regexp.MustCompile("`((?:cluster|worker|master|storage|web|tls)\\.[a-z0-9.-]+)`").FindAllSubmatch(raw, -1) {
				parts := strings.Split(strings.TrimSuffix(string(key[1]), ".*"), ".")
				require.Contains(t, reference, parts[len(parts)-1]+":", "%s names %s", path, key[1])
			}
		}
	}
	collect("../../Dockerfile")
	require.NoError(t, filepath.WalkDir(deploy, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			collect(path)
		}
		return err
	}))
	require.Greater(t, len(found), 30)
	for name, path := range found {
		if slices.Contains(elsewhere, name) || name == "DORADO_PORT" {
			continue
		}
		_, err := config.Load(config.Source{Environ: []string{name + "="}})
		if err != nil {
			require.NotContains(t, err.Error(), "no key has this name", "%s: %s", path, name)
		}
	}
}

func TestSecretsInTheFilesAreNoSecrets(t *testing.T) {
	t.Parallel()
	require.NoError(t, filepath.WalkDir(deploy, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		for line := range bytes.Lines(raw) {
			m := regexp.MustCompile(`^\s*\w*(?:SECRET|PASSWORD)\w*[=:]\s*(\S+)`).FindSubmatch(line)
			if m != nil {
				require.Regexp(t, `^(change-me|\$\{)`, string(m[1]), path)
			}
		}
		return nil
	}))
}
