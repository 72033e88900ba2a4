package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// Builder compiles the product at most once.
type Builder struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// Path returns the binary: DORADO_E2E_BINARY when set, else the result of `go build ./app` in a temporary folder.
func (b *Builder) Path(ctx context.Context) (string, error) {
	b.once.Do(func() { b.path, b.err = b.build(ctx) })
	return b.path, b.err
}

// Close removes what was built.
func (b *Builder) Close() error {
	if b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

func (b *Builder) build(ctx context.Context) (string, error) {
	if path := os.Getenv("DORADO_E2E_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	if b.dir, err = os.MkdirTemp("", "dorado-bin-"); err != nil {
		return "", err
	}
	// Tasks of another user never run this file, but its folder is made readable so that a profile of a child works.
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(b.dir, "dorado")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "./app")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./app: %w\n%s", err, out)
	}
	return path, nil
}

// Root returns the folder that holds go.mod, looking upwards from the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod in this folder or above")
		}
		dir = parent
	}
}
