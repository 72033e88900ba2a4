package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"dorado/app/boot"
	"dorado/app/kit/db"
)

func restoreCommand(s *settings) *cobra.Command {
	o := boot.RestoreOptions{}
	var quiet, fail bool
	cmd := &cobra.Command{
		Use: "restore --in FILE", Short: "Read a backup into an empty database", Args: cobra.NoArgs,
		Example: "  dorado restore --in dorado.backup --data ./restored && dorado standalone --data ./restored",
	}
	passphrase := passphraseFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case o.In == "":
			return usageError{errors.New("--in: name a backup, or - for the standard input")}
		case o.Resume && fail:
			return usageError{errors.New("--resume and --fail-running: choose one")}
		}
		cfg, err := s.load(cmd, nil)
		if err != nil {
			return err
		}
		if o.Passphrase, err = passphrase(); err != nil {
			return err
		}
		if !cmd.Flags().Changed("log-worker") && !db.IsPostgres(cfg.DatabaseURL()) {
			o.LogWorker = boot.LocalWorker
		}
		logger, err := boot.NewLogger(cfg, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		return kept(boot.Restore(cmd.Context(), cfg, logger, o, terminal(cmd, quiet)))
	}
	flags := cmd.Flags()
	flags.StringVar(&o.In, "in", "", "backup to read, or - for the standard input")
	flags.BoolVar(&fail, "fail-running", false, "end runs that were under way as FAILURE (the default)")
	flags.BoolVar(&o.Resume, "resume", false, "go on with runs that were under way; tasks that a worker had are repeated")
	flags.BoolVar(&o.CatchUp, "catch-up", false, "make up for fires of schedules that were due since the backup")
	flags.BoolVar(&o.SchedulesOffline, "schedules-offline", false, "take all schedules offline, for a trial beside the original")
	flags.BoolVar(&o.WithoutLogs, "without-logs", false, "leave task logs in the backup")
	flags.BoolVar(&o.WithoutSecrets, "without-secrets", false, "restore although there is no key for the secrets in the backup; they have to be entered again")
	flags.StringVar(&o.LogWorker, "log-worker", "", "worker that shows the restored logs: the one that will use this data folder (default: the one of `dorado standalone` with SQLite)")
	flags.BoolVar(&quiet, "quiet", false, "report no progress")
	maxUnpackedFlag(cmd, &o.MaxUnpacked)
	return cmd
}
