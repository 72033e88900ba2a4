package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"dorado/app/boot"
	"dorado/modules/keep"
	"dorado/modules/keep/archive"
)

// Exit codes of backup and restore, besides 1 for any other failure.
const (
	exitUnreadable = 3 // the backup is damaged, of another program, too new, or its passphrase is wrong
	exitNotEmpty   = 4 // the database to restore into holds something
)

// kept gives failures of backups their exit codes.
func kept(err error) error {
	for _, unreadable := range []error{archive.ErrNoBackup, archive.ErrDamaged, archive.ErrNewer, archive.ErrPassphrase, archive.ErrTooLarge} {
		if errors.Is(err, unreadable) {
			return exit{exitUnreadable, err}
		}
	}
	if errors.Is(err, keep.ErrNotEmpty) {
		return exit{exitNotEmpty, err}
	}
	return err
}

func terminal(cmd *cobra.Command, quiet bool) boot.Terminal {
	t := boot.Terminal{In: cmd.InOrStdin(), Out: cmd.OutOrStdout(), Progress: cmd.ErrOrStderr()}
	if quiet {
		t.Progress = io.Discard
	}
	return t
}

// passphraseFlag adds the flag that names a passphrase, and returns what reads it.
func passphraseFlag(cmd *cobra.Command) func() (string, error) {
	file := cmd.Flags().String("passphrase-file", "", "file whose first line encrypts the backup (else DORADO_BACKUP_PASSPHRASE, else it is not encrypted)")
	return func() (string, error) {
		if *file == "" {
			return os.Getenv("DORADO_BACKUP_PASSPHRASE"), nil
		}
		f, err := os.Open(*file)
		if err != nil {
			return "", fmt.Errorf("read the passphrase: %w", err)
		}
		defer f.Close()
		line, err := bufio.NewReader(f).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the passphrase: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return "", usageError{fmt.Errorf("%s holds no passphrase", *file)}
		}
		return line, nil
	}
}

func backupCommand(s *settings) *cobra.Command {
	o := boot.BackupOptions{}
	var quiet bool
	cmd := &cobra.Command{
		Use: "backup --out FILE", Short: "Write everything into one file, while the program works", Args: cobra.NoArgs,
		Example: "  dorado backup --database postgres://dorado@db/dorado --out /backup/dorado-$(date +%F).backup",
	}
	passphrase := passphraseFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.Out == "" {
			return usageError{errors.New("--out: name a file, or - for the standard output")}
		}
		cfg, err := s.load(cmd, nil)
		if err != nil {
			return err
		}
		if o.Passphrase, err = passphrase(); err != nil {
			return err
		}
		logger, err := boot.NewLogger(cfg, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		return kept(boot.Backup(cmd.Context(), cfg, logger, o, terminal(cmd, quiet)))
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Out, "out", "", "file to write, or - for the standard output")
	flags.BoolVar(&o.WithoutLogs, "without-logs", false, "leave task logs out")
	flags.StringArrayVar(&o.Logs, "logs", nil, "log folder of a worker that this machine can read, besides its own; repeat for more")
	flags.BoolVar(&quiet, "quiet", false, "say nothing unless it fails")
	cmd.AddCommand(verifyCommand())
	return cmd
}

func verifyCommand() *cobra.Command {
	var maxUnpacked int64
	cmd := &cobra.Command{Use: "verify FILE", Short: "Check a backup from beginning to end and say what is in it", Args: cobra.ExactArgs(1)}
	passphrase := passphraseFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		secret, err := passphrase()
		if err != nil {
			return err
		}
		return kept(boot.VerifyBackup(cmd.Context(), args[0], secret, maxUnpacked, terminal(cmd, false)))
	}
	maxUnpackedFlag(cmd, &maxUnpacked)
	return cmd
}

func maxUnpackedFlag(cmd *cobra.Command, n *int64) {
	cmd.Flags().Int64Var(n, "max-unpacked", 0, "bytes after which a file is taken for a trap (default 64 GiB, or a thousand times its own size)")
}
