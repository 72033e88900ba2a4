package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"dorado/app/boot"
	"dorado/app/config"
)

func migrateCommand(s *settings) *cobra.Command {
	var status bool
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the database up to date", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load(cmd, nil)
			if err != nil {
				return err
			}
			logger, err := boot.NewLogger(cfg, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if status {
				return boot.MigrationStatus(cmd.Context(), cfg, logger, cmd.OutOrStdout())
			}
			return boot.Migrate(cmd.Context(), cfg, logger, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&status, "status", false, "only list the migrations and whether they were applied")
	return cmd
}

func userCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Users that cannot sign in: reset a password, print a sign-in link", Args: cobra.NoArgs}
	var fromStdin bool
	password := &cobra.Command{
		Use: "password NAME", Short: "Set a user's password", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load(cmd, nil)
			if err != nil {
				return err
			}
			secret, err := readPassword(cmd.InOrStdin(), fromStdin)
			if err != nil {
				return err
			}
			return boot.SetPassword(cmd.Context(), cfg, args[0], secret, cmd.OutOrStdout())
		},
	}
	password.Flags().BoolVar(&fromStdin, "stdin", false, "read the password from the first line of standard input (else DORADO_ADMIN_PASSWORD)")
	link := &cobra.Command{
		Use: "link NAME", Short: "Print a link that signs a user in once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load(cmd, nil)
			if err != nil {
				return err
			}
			return boot.SignInLink(cmd.Context(), cfg, args[0], cmd.OutOrStdout())
		},
	}
	cmd.AddCommand(password, link)
	return cmd
}

// readPassword takes the password from where it is not seen in a process list.
func readPassword(in io.Reader, fromStdin bool) (string, error) {
	if !fromStdin {
		if secret := os.Getenv("DORADO_ADMIN_PASSWORD"); secret != "" {
			return secret, nil
		}
		return "", usageError{errors.New("give the password with --stdin, or in DORADO_ADMIN_PASSWORD")}
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func configCommand(s *settings) *cobra.Command {
	var reference bool
	cmd := &cobra.Command{
		Use: "config", Short: "Check the configuration and print what is in force, secrets masked", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reference {
				_, err := io.WriteString(cmd.OutOrStdout(), config.Reference())
				return err
			}
			cfg, err := s.load(cmd, nil)
			if err != nil {
				return err
			}
			text, err := cfg.Print()
			if err == nil {
				_, err = io.WriteString(cmd.OutOrStdout(), text)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&reference, "reference", false, "print every key with its default and meaning instead")
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "dorado %s %s %s %s/%s\n%s\n",
				boot.Version, boot.Commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, boot.Capabilities())
			return err
		},
	}
}
