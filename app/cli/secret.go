package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"dorado/app/boot"
	"dorado/app/config"
)

func secretCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{Use: "secret", Short: "Keys of the secrets in the database: what they seal, and new ones", Args: cobra.NoArgs}
	with := func(run func(cmd *cobra.Command, cfg config.Config, t boot.Terminal) error) func(*cobra.Command, []string) error {
		return func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load(cmd, nil)
			if err != nil {
				return err
			}
			return run(cmd, cfg, terminal(cmd, false))
		}
	}
	status := &cobra.Command{Use: "status", Short: "Say which keys there are, and how many secrets each seals", Args: cobra.NoArgs}
	status.RunE = with(func(cmd *cobra.Command, cfg config.Config, t boot.Terminal) error {
		logger, err := boot.NewLogger(cfg, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		return boot.SecretStatus(cmd.Context(), cfg, logger, t.Out)
	})
	var o boot.RotateOptions
	rotate := &cobra.Command{
		Use: "rotate", Short: "Make a new key and seal every secret again with it, while masters work", Args: cobra.NoArgs,
		Long: "Make a new key and seal every secret again with it, while masters work. If it breaks off, --resume does what is left. " +
			"With masters on several machines: --stage, copy the key file to all of them, rotate, copy it again, --resume.",
	}
	rotate.Flags().BoolVar(&o.Resume, "resume", false, "make no new key; seal again what still has an old one")
	rotate.Flags().BoolVar(&o.Stage, "stage", false, "only put a new key into the key file, for the next rotation")
	rotate.RunE = with(func(cmd *cobra.Command, cfg config.Config, t boot.Terminal) error {
		if o.Resume && o.Stage {
			return usageError{errors.New("--resume and --stage: choose one")}
		}
		logger, err := boot.NewLogger(cfg, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		return boot.SecretRotate(cmd.Context(), cfg, logger, o, t)
	})
	retire := &cobra.Command{Use: "retire", Short: "Take keys out of the key file that seal nothing any more", Args: cobra.NoArgs}
	retire.RunE = with(func(cmd *cobra.Command, cfg config.Config, t boot.Terminal) error {
		logger, err := boot.NewLogger(cfg, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		return boot.SecretRetire(cmd.Context(), cfg, logger, t)
	})
	cmd.AddCommand(status, rotate, retire)
	return cmd
}
