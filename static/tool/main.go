package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

const (
	modules = "node_modules"
	target  = "static/vendor"
	tool    = "static/tool"
)

// copies lists the files taken as they are.
func copies() []item {
	return []item{
		{file: "htmx.js", pkg: "htmx.org", source: "dist/htmx.min.js"},
		{file: "hx-sse.js", pkg: "htmx.org", source: "dist/ext/hx-sse.min.js"},
		{file: "fonts/inter-latin.woff2", pkg: "@fontsource-variable/inter", source: "files/inter-latin-wght-normal.woff2"},
		{file: "fonts/jetbrains-mono-latin.woff2", pkg: "@fontsource-variable/jetbrains-mono", source: "files/jetbrains-mono-latin-wght-normal.woff2"},
	}
}

type item struct{ file, pkg, source string }

// record is one entry of vendor.json.
type record struct {
	File     string   `json:"file"`
	Packages []string `json:"packages"` // npm name@version
	Source   string   `json:"source"`   // the file in the package, or the entry that was bundled
	Licence  string   `json:"licence"`  // SPDX names as the packages declare them
	SHA256   string   `json:"sha256"`
}

func main() {
	check := flag.Bool("check", false, "compare instead of writing")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "vendor:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	b := build{out: map[string][]byte{}}
	for _, c := range copies() {
		data, err := os.ReadFile(filepath.Join(modules, c.pkg, c.source))
		if err != nil {
			return err
		}
		// A pointer to a source map that is not shipped makes every browser ask for it.
		data = bytes.ReplaceAll(data, []byte("//# sourceMappingURL="+filepath.Base(c.source)+".map"), nil)
		if err := b.add(c.file, data, c.source, c.pkg); err != nil {
			return err
		}
	}
	if err := b.codemirror(); err != nil {
		return err
	}
	if err := b.icons(); err != nil {
		return err
	}
	slices.SortFunc(b.records, func(a, c record) int { return strings.Compare(a.File, c.File) })
	list, err := json.MarshalIndent(b.records, "", "  ")
	if err != nil {
		return err
	}
	b.out["vendor.json"] = append(list, '\n')
	if check {
		return b.compare()
	}
	return b.write()
}

type build struct {
	out     map[string][]byte
	records []record
}

// add keeps one output file and notes where it came from.
func (b *build) add(file string, data []byte, source string, packages ...string) error {
	sum := sha256.Sum256(data)
	r := record{File: file, Source: source, SHA256: hex.EncodeToString(sum[:])}
	var names []string
	for _, pkg := range packages {
		version, licence, err := b.describe(pkg)
		if err != nil {
			return err
		}
		r.Packages = append(r.Packages, pkg+"@"+version)
		if !slices.Contains(names, licence) {
			names = append(names, licence)
		}
	}
	r.Licence = strings.Join(names, " AND ")
	b.out[file] = data
	b.records = append(b.records, r)
	return nil
}

// describe reads a package's version and licence, and keeps its licence text.
func (b *build) describe(pkg string) (version, licence string, err error) {
	data, err := os.ReadFile(filepath.Join(modules, pkg, "package.json"))
	if err != nil {
		return "", "", err
	}
	var meta struct{ Version, License string }
	if err := json.Unmarshal(data, &meta); err != nil {
		return "", "", fmt.Errorf("%s: %w", pkg, err)
	}
	text, err := os.ReadFile(filepath.Join(modules, pkg, "LICENSE"))
	if err != nil {
		return "", "", err
	}
	b.out["licences/"+strings.ReplaceAll(strings.TrimPrefix(pkg, "@"), "/", "-")+".txt"] = text
	return meta.Version, meta.License, nil
}

// codemirror bundles the editor; what only one language needs is a chunk of its
// own, loaded when that language is first opened.
func (b *build) codemirror() error {
	const entry = tool + "/codemirror/editor.js"
	outdir, err := filepath.Abs(target + "/codemirror")
	if err != nil {
		return err
	}
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{entry},
		Outdir:            outdir,
		Bundle:            true,
		Splitting:         true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsNone,
		Metafile:          true,
		ChunkNames:        "[name]-[hash]",
	})
	if len(result.Errors) > 0 {
		return errors.New(strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), "\n"))
	}
	var meta struct {
		Outputs map[string]struct{ Inputs map[string]struct{} }
	}
	if err := json.Unmarshal([]byte(result.Metafile), &meta); err != nil {
		return err
	}
	for _, f := range result.OutputFiles {
		name := "codemirror/" + filepath.Base(f.Path)
		var packages []string
		for input := range meta.Outputs[target+"/"+name].Inputs {
			if pkg := packageOf(input); pkg != "" && !slices.Contains(packages, pkg) {
				packages = append(packages, pkg)
			}
		}
		slices.Sort(packages)
		if err := b.add(name, f.Contents, entry, packages...); err != nil {
			return err
		}
	}
	return nil
}

// packageOf names the npm package an input file belongs to, "" for our own.
func packageOf(path string) string {
	_, rest, ok := strings.Cut(path, modules+"/")
	if !ok {
		return ""
	}
	parts := strings.Split(rest, "/")
	if strings.HasPrefix(rest, "@") {
		return strings.Join(parts[:2], "/")
	}
	return parts[0]
}

func (b *build) compare() error {
	var wrong []string
	for file, want := range b.out {
		got, err := os.ReadFile(filepath.Join(target, file))
		if err != nil || !bytes.Equal(got, want) {
			wrong = append(wrong, file)
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return fmt.Errorf("these files differ from what the pinned packages give: %s", strings.Join(wrong, ", "))
	}
	return nil
}

func (b *build) write() error {
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	for file, data := range b.out {
		path := filepath.Join(target, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
