package cli

import (
	"encoding/json"
	"net/http"

	"github.com/spf13/cobra"
)

func projectCommand() *cobra.Command {
	c := &remote{}
	cmd := &cobra.Command{
		Use: "project", Short: "List projects", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.flags(cmd)
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the projects that you may see", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.ready(); err != nil {
				return err
			}
			var rows []json.RawMessage
			if err := c.call(cmd.Context(), http.MethodGet, "/projects/list", nil, &rows); err != nil {
				return err
			}
			type row struct {
				named

				Owner     string `json:"userName"`
				Workflows int    `json:"defCount"`
			}
			return show(c, cmd, "NAME CODE OWNER WORKFLOWS", rows, func(p row) []any { return []any{p.Name, p.Code, p.Owner, p.Workflows} })
		},
	})
	return cmd
}
