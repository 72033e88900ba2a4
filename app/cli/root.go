package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"dorado/app/boot"
	"dorado/app/config"
)

// Main runs one command line and returns its exit code: 0 done, 1 failed, 2 wrong usage.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	coded, hasCode := errors.AsType[exit](err)
	switch {
	case err == nil:
		return 0
	case hasCode && coded.err == nil:
		return coded.code
	case hasCode && !errors.As(err, new(usageError)):
		fmt.Fprintf(stderr, "dorado: %s\n", indent(err))
		return coded.code
	case errors.As(err, new(usageError)):
		fmt.Fprintf(stderr, "dorado: %v\n", err)
		return 2
	default:
		fmt.Fprintf(stderr, "dorado: %s\n", indent(err))
		return 1
	}
}

// indent shows joined errors one a line.
func indent(err error) string { return strings.ReplaceAll(err.Error(), "\n", "\n  ") }

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// settings are the flags that set configuration keys; every other key can be set with --set key=value.
type settings struct {
	file  string
	flags map[string]*string
	set   []string
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	s := &settings{flags: map[string]*string{}}
	root := &cobra.Command{
		Use:           "dorado",
		Short:         "Workflows you can draw: one program that schedules, runs and shows them",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.StringVar(&s.file, "config", os.Getenv("DORADO_CONFIG"), "configuration file (YAML)")
	for _, f := range []struct{ key, help string }{
		{"listen", "host:port of pages and REST (default 127.0.0.1:12345)"},
		{"data", "folder for everything Dorado writes (default ./dorado-data)"},
		{"database", "SQLite file or postgres:// URL (default: dorado.db in the data folder)"},
	} {
		s.flags[f.key] = flags.String(f.key, "", f.help)
	}
	flags.StringArrayVar(&s.set, "set", nil, "any other key, as key=value; repeat for more (see dorado config --reference)")
	root.AddCommand(
		serveCommand(s, "standalone", "Run everything in one process", boot.Standalone),
		serveCommand(s, "master", "Run pages, REST and the scheduler; workers connect to it", boot.Master),
		workerCommand(s),
		backupCommand(s), restoreCommand(s), migrateCommand(s), secretCommand(s), userCommand(s), policyCommand(s), configCommand(s),
		loginCommand(), logoutCommand(), projectCommand(), workflowCommand(), runsCommand(), logsCommand(), backfillCommand(), exportFileCommand(),
		importFileCommand(), syncCommand(), tokenCommand(), versionCommand(),
	)
	return root
}

// load reads the configuration; extra are the flags of one command, by key.
func (s *settings) load(cmd *cobra.Command, extra map[string]string) (config.Config, error) {
	set := map[string]string{}
	for key, value := range s.flags {
		if cmd.Flags().Changed(key) {
			set[key] = *value
		}
	}
	maps.Copy(set, extra)
	for _, entry := range s.set {
		key, value, ok := strings.Cut(entry, "=")
		if !ok {
			return config.Config{}, usageError{fmt.Errorf("--set %s: write key=value", entry)}
		}
		set[key] = value
	}
	cfg, err := config.Load(config.Source{File: s.file, Environ: os.Environ(), Flags: set})
	if err != nil {
		return cfg, usageError{fmt.Errorf("configuration: %w", err)}
	}
	return cfg, nil
}
