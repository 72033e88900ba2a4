package cli_test

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"dorado/app/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"dorado": func() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestCommandLine plays the sessions in testdata/script.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}
