package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"dorado/plugins/task/datax/native"
)

// syncCommand copies rows between databases. Workers start it for DATAX tasks; the job comes by file, because it holds
// passwords and every user of a machine can read arguments.
func syncCommand() *cobra.Command {
	var file, zone string
	var o native.Options
	cmd := &cobra.Command{
		Use: "sync", Short: "Carry out a job file of DataX with the native engine, without DataX", Args: cobra.NoArgs,
		Long: "Carry out a job file of DataX with the native engine, without DataX: rows of MySQL, PostgreSQL, Oracle, SQL Server or\n" +
			"ClickHouse go into tables of these. Workers start it for DATAX tasks. Needs no server, no configuration and no database\n" +
			"of Dorado. Ends with 0 when all was written but for as many dirty rows as the job allows, and with 1 otherwise.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usageError{errors.New("--job: say which file holds the job; - reads standard input")}
			}
			text, err := readJob(cmd.InOrStdin(), file)
			if err != nil {
				return err
			}
			job, err := native.Parse(text)
			if err != nil {
				return err
			}
			if zone == "" {
				zone = os.Getenv("DORADO_TIME_ZONE")
			}
			o.Zone = time.Local
			if zone != "" {
				if o.Zone, err = native.Zone(zone); err != nil {
					return usageError{fmt.Errorf("--time-zone: %w", err)}
				}
			}
			o.Out = cmd.OutOrStdout()
			_, err = native.Run(cmd.Context(), job, o)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&file, "job", "", "job file; - reads standard input")
	flags.BoolVar(&o.ByName, "by-name", false, "\"*\" of a writer means the columns that have the names of those that are read, not all in their order")
	flags.StringVar(&zone, "time-zone", "", "of times without a zone where the other side has one (else that of the job, DORADO_TIME_ZONE, TZ)")
	return cmd
}

func readJob(in io.Reader, file string) ([]byte, error) {
	if file == "-" {
		text, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("read the job: %w", err)
		}
		return text, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the job: %w", err)
	}
	return text, nil
}
