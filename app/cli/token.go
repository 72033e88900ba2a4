package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// token is an access token; its text is known when it was just made.
type token struct {
	ID     int64  `json:"id"`
	Token  string `json:"token"`
	Expire string `json:"expireTime"`
	User   string `json:"userName"`
}

func tokenCommand() *cobra.Command {
	c := &remote{}
	cmd := &cobra.Command{
		Use: "token", Short: "List, create and revoke access tokens", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.flags(cmd)
	cmd.AddCommand(tokenListCommand(c), tokenCreateCommand(c), tokenRevokeCommand(c))
	return cmd
}

func tokenListCommand(c *remote) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List access tokens: one's own, for administrators all", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.ready(); err != nil {
				return err
			}
			rows, err := c.rows(cmd.Context(), "/access-tokens", nil, 0)
			if err != nil {
				return err
			}
			return show(c, cmd, "TOKEN USER EXPIRES ENDS-IN", rows, func(t token) []any {
				hint := t.Token
				if len(hint) > 4 {
					hint = hint[len(hint)-4:]
				}
				return []any{t.ID, t.User, t.Expire, hint}
			})
		},
	}
}

func tokenCreateCommand(c *remote) *cobra.Command {
	days := 90
	var name, scope string
	cmd := &cobra.Command{
		Use: "create", Short: "Make an access token and print it: it is shown only now", Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 {
				return usageError{fmt.Errorf("--days %d: a token is valid for a day at least", days)}
			}
			if err := c.ready(); err != nil {
				return err
			}
			ctx := cmd.Context()
			var me struct {
				ID   int64  `json:"id"`
				Zone string `json:"timeZone"`
			}
			if err := c.call(ctx, http.MethodGet, "/users/get-user-info", nil, &me); err != nil {
				return err
			}
			zone, err := time.LoadLocation(me.Zone)
			if err != nil {
				zone = time.UTC
			}
			fields := url.Values{
				"userId": {strconv.FormatInt(me.ID, 10)}, "name": {name}, "scope": {scope},
				"expireTime": {time.Now().AddDate(0, 0, days).In(zone).Format(time.DateTime)},
			}
			var made token
			if err := c.call(ctx, http.MethodPost, "/access-tokens", fields, &made); err != nil {
				return err
			}
			if c.output == outputJSON {
				return printJSON(cmd, made)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), made.Token)
			return err
		},
	}
	f := cmd.Flags()
	f.IntVar(&days, "days", days, "how long it is valid")
	f.StringVar(&name, "name", "", "what it is for")
	f.StringVar(&scope, "scope", "", "what it may do, as words such as workflow.read or project:123; empty = all that the user may")
	return cmd
}

func tokenRevokeCommand(c *remote) *cobra.Command {
	return &cobra.Command{
		Use: "revoke TOKEN...", Short: "Revoke access tokens, by their numbers in the list", Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.ready(); err != nil {
				return err
			}
			return every(cmd, args, func(arg string) error {
				id, err := number(arg)
				if err != nil {
					return usageError{fmt.Errorf("%s is not the number of a token", arg)}
				}
				if err := c.call(cmd.Context(), http.MethodDelete, "/access-tokens/"+strconv.FormatInt(id, 10), nil, nil); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d: revoked\n", id)
				return nil
			})
		},
	}
}
