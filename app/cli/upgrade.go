package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"dorado/app/boot"
)

func workerCommand(s *settings) *cobra.Command {
	cmd := serveCommand(s, "worker", "Run tasks for one or more masters; needs no database", boot.Worker)
	cmd.AddCommand(upgradeCommand(s))
	return cmd
}

// upgradeCommand asks a running worker to become the program that its file holds by now.
func upgradeCommand(s *settings) *cobra.Command {
	pid := 0
	cmd := &cobra.Command{
		Use: "upgrade", Short: "Have a running worker become the program that is installed now; its tasks run on", Args: cobra.NoArgs,
		Long: "Have a running worker become the program that is installed now, under the same process id; its tasks run on.\n" +
			"Install the new program over the old one (by renaming, not by writing into it) first. A program that cannot take\n" +
			"over, or does not like the configuration, is not begun: the worker goes on as it was, and its log says why.\n" +
			"The worker is the one that uses the data folder, or --pid. Sending it SIGUSR2 does the same.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if pid == 0 {
				cfg, err := s.load(cmd, nil)
				if err != nil {
					return err
				}
				if pid, err = holder(cfg.Data); err != nil {
					return err
				}
			}
			if err := isWorker(pid); err != nil {
				return err
			}
			if err := syscall.Kill(pid, syscall.SIGUSR2); err != nil {
				return fmt.Errorf("signal process %d: %w", pid, err)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "process %d is asked to upgrade itself; its log says how that went\n", pid)
			return err
		},
	}
	cmd.Flags().IntVar(&pid, "pid", 0, "process id of the worker (default: the process that uses the data folder)")
	return cmd
}

// holder is the process that uses a data folder.
func holder(data string) (int, error) {
	text, err := os.ReadFile(filepath.Join(data, "dorado.lock"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, fmt.Errorf("no worker has used the data folder %s; name its process with --pid", data)
	} else if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 1 {
		return 0, fmt.Errorf("the data folder %s does not say which process uses it; name it with --pid", data)
	}
	return pid, nil
}

// isWorker refuses processes that are none: the signal would end many a program.
func isWorker(pid int) error {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return fmt.Errorf("process %d does not run", pid)
	}
	ours, err := os.Executable()
	if err != nil {
		return err
	}
	theirs, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe") // "" when it is another user's
	same := filepath.Base(strings.TrimSuffix(theirs, " (deleted)")) == filepath.Base(ours)
	if same && slices.Contains(strings.Split(string(line), "\x00"), "worker") {
		return nil
	}
	return fmt.Errorf("process %d is no Dorado worker", pid)
}
