package boot

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const module = "dorado"

func TestPackagesImportOnlyWhatLiesBelowThem(t *testing.T) {
	t.Parallel()
	broken := violations(readImports(t))
	require.Empty(t, broken, "the layers (app/boot/layers.go, drawn in ARCHITECTURE.md) are broken:\n\n  %s\n", strings.Join(broken, "\n  "))
}

func TestEveryLayerRuleIsNoticedWhenBroken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of   imports
		want string
	}{
		"upwards":            {imports{"app/kit/db": {"modules/project"}}, "stands above it"},
		"neighbours":         {imports{"modules/cluster": {"modules/rpc"}}, "its neighbour in the same layer"},
		"unknown":            {imports{"modules/common": nil}, "has no layer"},
		"new top-level":      {imports{"app/util": nil}, "has no layer"},
		"view and module":    {imports{"views/security": {"modules/flow"}}, "views/security must not reach modules/flow"},
		"plugin and db":      {imports{"plugins/task/shell": {"app/kit/db"}}, "must not reach app/kit/db"},
		"worker, indirectly": {imports{"modules/executor": {"modules/rpc"}, "modules/rpc": {"app/kit/db"}}, "modules/executor → modules/rpc → app/kit/db"},
		"engine and feature": {imports{"modules/engine": {"modules/workflow"}}, "modules/engine must not reach modules/workflow"},
		"engine and worker":  {imports{"modules/engine": {"modules/executor"}}, "its neighbour"},
		"black box":          {imports{"e2e": {"modules/flow"}}, "see the binary, HTTP and a browser"},
		"boot from below":    {imports{"modules/home": {"app/boot"}}, "boot is the composition root"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, strings.Join(violations(c.of), "\n"), c.want)
		})
	}
	require.Empty(t, violations(imports{
		"app":                     {"app/cli"},
		"app/cli":                 {"app/boot", "app/config"},
		"modules/engine":          {"modules/engine/core", "modules/rpc", "app/kit/db"},
		"modules/engine/core":     {"modules/flow"},
		"modules/security/tenant": {"modules/identity", "modules/security/queue", "views/security"},
		"modules/security/queue":  {"app/kit/db"},
	}))
}

// The linter tells in the editor what this test tells in CI; the two lists must not drift apart.
func TestTheLinterKnowsTheProhibitions(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(root(t), ".golangci.yml"))
	require.NoError(t, err)
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]struct {
						Files []string
						Deny  []struct{ Pkg, Desc string }
					}
				}
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(raw, &config))
	denied := map[string][]string{}
	for _, rule := range config.Linters.Settings.Depguard.Rules {
		for _, file := range rule.Files {
			for _, d := range rule.Deny {
				denied[file] = append(denied[file], strings.TrimSuffix(d.Pkg, "/"))
			}
		}
	}
	for _, p := range Prohibitions() {
		for _, from := range p.From {
			for _, never := range p.Never {
				require.Contains(t, denied["**/"+from+"/**"], module+"/"+never,
					".golangci.yml: depguard lets %s import %s", from, never)
			}
		}
	}
}

// readImports asks the go command for the imports of every package of ours. Tests may import what they like, but for
// the end-to-end tests, which must stay outside.
func readImports(t *testing.T) imports {
	t.Helper()
	touch(t)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags", "e2e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root(t)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	of := imports{}
	for dec := json.NewDecoder(strings.NewReader(string(raw))); ; {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			require.NoError(t, err)
		}
		from := ours(p.ImportPath)
		all := p.Imports
		if under(from, "e2e") {
			all = slices.Concat(p.Imports, p.TestImports, p.XTestImports)
		}
		of[from] = nil
		for _, i := range all {
			if to := ours(i); to != "" && to != from && !slices.Contains(of[from], to) {
				of[from] = append(of[from], to)
			}
		}
	}
	require.NotEmpty(t, of)
	return of
}

// touch looks at every Go file, so that the go command's cache of test results knows what this test depends on: it does
// not see what a child process reads.
func touch(t *testing.T) {
	t.Helper()
	top := root(t)
	require.NoError(t, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			_, err = os.Stat(path)
		}
		return err
	}))
}

// ours cuts the module's name from the path of one of our packages, and is empty for any other.
func ours(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	return rest
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	require.NoError(t, err)
	return dir
}

// imports maps a package, by its folder below the module root, to the folders of ours that it imports.
type imports map[string][]string

// violations says in plain sentences how the imports break the layers and prohibitions.
func violations(of imports) []string {
	var out []string
	for _, from := range sortedKeys(of) {
		at, unit := place(from)
		if at < 0 {
			out = append(out, fmt.Sprintf("%s has no layer: decide where it belongs and add it to app/boot/layers.go", from))
			continue
		}
		for _, to := range of[from] {
			below, target := place(to)
			switch {
			case target == unit || below < 0: // its own unit, or reported on its own
			case below == at:
				out = append(out, fmt.Sprintf("%s imports %s, its neighbour in the same layer: neighbours do not know each other", from, to))
			case below > at:
				out = append(out, fmt.Sprintf("%s imports %s, which stands above it: declare a small interface in %s and let app/boot fill it in", from, to, unit))
			}
		}
		for _, p := range Prohibitions() {
			if !underAny(from, p.From) {
				continue
			}
			if path := reach(of, from, p.Never); path != nil {
				out = append(out, fmt.Sprintf("%s must not reach %s (%s): %s",
					from, path[len(path)-1], strings.Join(path, " → "), p.Because))
			}
		}
	}
	return out
}

// place finds a package's layer and unit: the longest unit that contains it wins. The layer is -1 when there is none.
func place(pkg string) (layer int, unit string) {
	layer = -1
	for i, l := range Layers() {
		for _, u := range l.Units {
			if dir, each := strings.CutSuffix(u, "*"); each {
				if rest, ok := strings.CutPrefix(pkg, dir); ok {
					name, _, _ := strings.Cut(rest, "/")
					u = dir + name
				}
			}
			if under(pkg, u) && len(u) > len(unit) && (u != "app" || pkg == "app") {
				layer, unit = i, u
			}
		}
	}
	return layer, unit
}

// reach returns the shortest chain of imports from a package to one of the forbidden folders, or nil.
func reach(of imports, from string, never []string) []string {
	cameFrom := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, next := range of[queue[0]] {
			if _, seen := cameFrom[next]; seen {
				continue
			}
			cameFrom[next] = queue[0]
			if underAny(next, never) {
				var chain []string
				for at := next; at != ""; at = cameFrom[at] {
					chain = append(chain, at)
				}
				slices.Reverse(chain)
				return chain
			}
			queue = append(queue, next)
		}
	}
	return nil
}

func under(pkg, folder string) bool {
	return pkg == folder || strings.HasPrefix(pkg, folder+"/")
}

func underAny(pkg string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return under(pkg, f) })
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
