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
	own, check := map[string]*string{}, false
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
			if err != nil || check {
				return err
			}
			logger, err := boot.NewLogger(cfg, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return run(cmd.Context(), cfg, logger, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&check, boot.CheckFlag, false, "read the configuration, say what is wrong with it, and end")
	for _, flag := range ownFlags()[name] {
		own[flag.name] = cmd.Flags().String(flag.name, "", flag.help)
	}
	return cmd
}

// flag is a flag of one serving command.
type flag struct{ name, help string }

// ownFlags says which flags each serving command has beside those of all.
func ownFlags() map[string][]flag {
	slots := flag{"slots", "tasks that run at once (default 100)"}
	shared := []flag{
		{"cluster-secret", "text that masters and workers share"},
		{"registry", "how they find each other: auto, none, postgres or zookeeper (default auto)"},
		{"zookeeper", "host:port of each ZooKeeper server, by comma"},
		{"advertise", "host:port under which others reach this process"},
	}
	return map[string][]flag{
		"standalone": {slots},
		"master": append([]flag{
			{"roles", "parts to run: web,scheduler,alert (default all)"},
			{"cluster-listen", "host:port for workers (default 127.0.0.1:5678)"},
			{"master-name", "stable name of this master (default: host name)"},
		}, shared...),
		"worker": append([]flag{
			{"masters", "host:port of each master, by comma, without ZooKeeper (default 127.0.0.1:5678)"},
			{"name", "stable name of this worker (default: host name)"},
			{"groups", "worker groups it serves, by comma (default: default)"},
			{"worker-listen", "host:port of health and metrics (default: none)"},
			slots,
		}, shared...),
	}
}

// flagKeys says which key each flag of a serving command sets.
func flagKeys() map[string]string {
	return map[string]string{
		"roles": "roles", "cluster-listen": "cluster.listen", "cluster-secret": "cluster.secret", "masters": "cluster.masters",
		"name": "worker.name", "groups": "worker.groups", "slots": "worker.slots", "master-name": "master.name",
		"registry": "cluster.registry", "zookeeper": "cluster.zookeeper.servers", "advertise": "cluster.advertise",
		"worker-listen": "worker.listen",
	}
}
