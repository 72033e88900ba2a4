package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"dorado/app/boot"
)

func policyCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Who may do what, and why: explain a decision, check a file of expectations", Args: cobra.NoArgs}
	cmd.AddCommand(policyTestCommand(s), policyListCommand(s), policyCheckCommand(s))
	return cmd
}

// refused is the end of a command whose answer is no: code 1 without a message, for the answer said it.
func refused(ok bool, err error) error {
	if err == nil && !ok {
		return exit{code: 1}
	}
	return err
}

func policyTestCommand(s *settings) *cobra.Command {
	var q boot.PolicyQuestion
	cmd := &cobra.Command{
		Use: "test", Short: "Tell whether a user may do something, and why (exit code 0 allowed, 1 refused)", Args: cobra.NoArgs,
		Example: "  dorado policy test --user ann --permission instance.operate --project etl --workflow nightly",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.User == "" || q.Permission == "" {
				return usageError{errors.New("name a user with --user and a permission with --permission")}
			}
			cfg, err := s.load(cmd, nil)
			if err != nil {
				return err
			}
			return refused(boot.TestPolicy(cmd.Context(), cfg, q, cmd.OutOrStdout()))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.User, "user", "", "name of the user")
	flags.StringVar(&q.Permission, "permission", "", "such as workflow.edit; dorado policy list --permissions has them all")
	flags.StringVar(&q.Project, "project", "", "name or code of the project; without one the whole installation is meant")
	flags.StringVar(&q.Workflow, "workflow", "", "name or code of a workflow of the project")
	return cmd
}

func policyListCommand(s *settings) *cobra.Command {
	var permissions bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the rules that administrators added", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if permissions {
				_, err := fmt.Fprint(cmd.OutOrStdout(), boot.PermissionTable())
				return err
			}
			cfg, err := s.load(cmd, nil)
			if err != nil {
				return err
			}
			return boot.ListPolicies(cmd.Context(), cfg, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&permissions, "permissions", false, "list instead which roles have which permissions before any rule")
	return cmd
}

func policyCheckCommand(s *settings) *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Short: "Compare decisions with a file of expectations (exit code 0 all hold, 1 one does not)", Args: cobra.ExactArgs(1),
		Long: `Compare decisions with a file of expectations:

  expectations:
    - {user: ann, permission: instance.operate, project: etl, allowed: true}
    - {user: ann, permission: workflow.edit, project: etl, workflow: nightly, allowed: false}`,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := s.load(cmd, nil)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return usageError{err}
			}
			defer f.Close()
			return refused(boot.CheckPolicy(cmd.Context(), cfg, f, cmd.OutOrStdout()))
		},
	}
}
