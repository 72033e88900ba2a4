package cli

import (
	"context"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"dorado/app/boot"
	"dorado/app/config"
)

// serve is one way to run the program, until ctx ends.
type serve func(ctx context.Context, cfg config.Config, logger *slog.Logger, terminal io.Writer) error

func serveCommand(s *settings, name, short string, run serve) *cobra.Command {
	own := map[string]*string{}
	cmd := &cobra.Command{
		Use: name, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set := map[string]string{}
			for flag, value := range own {
				if cmd.Flags().Changed(flag) {
					set[flagKeys()[flag]] = *value
				}
			}
			cfg, err := s.load(cmd, set)
			if err != nil {
				return err
			}
			logger, err := boot.NewLogger(cfg, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return run(cmd.Context(), cfg, logger, cmd.OutOrStdout())
		},
	}
	for flag, help := range map[string]map[string]string{
		"standalone": {"slots": "tasks that run at once (default 100)"},
		"master": {
			"roles": "parts to run: web,scheduler (default both)", "cluster-listen": "host:port for workers (default 127.0.0.1:5678)",
			"cluster-secret": "text that masters and workers share",
		},
		"worker": {
			"masters": "host:port of each master, by comma (default 127.0.0.1:5678)", "cluster-secret": "text that masters and workers share",
			"name": "stable name of this worker (default: host name)", "groups": "worker groups it serves, by comma (default: default)",
			"slots": "tasks that run at once (default 100)",
		},
	}[name] {
		own[flag] = cmd.Flags().String(flag, "", help)
	}
	return cmd
}

// flagKeys says which key each flag of a serving command sets.
func flagKeys() map[string]string {
	return map[string]string{
		"roles": "roles", "cluster-listen": "cluster.listen", "cluster-secret": "cluster.secret", "masters": "cluster.masters",
		"name": "worker.name", "groups": "worker.groups", "slots": "worker.slots",
	}
}
