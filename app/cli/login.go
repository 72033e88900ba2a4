package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// login is what `dorado login` keeps in the user's configuration folder, readable by nobody else.
type login struct {
	Server string `json:"server"`
	Token  string `json:"token"`
}

func loginFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the configuration folder: %w", err)
	}
	return filepath.Join(dir, "dorado", "login.json"), nil
}

// readLogin returns what was saved, nothing when nothing was.
func readLogin() (login, error) {
	file, err := loginFile()
	if err != nil {
		return login{}, nil //nolint:nilerr // no home, no login
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return login{}, nil
	}
	var saved login
	if err == nil {
		err = json.Unmarshal(raw, &saved)
	}
	if err != nil {
		return login{}, fmt.Errorf("read %s: %w; `dorado logout` removes it", file, err)
	}
	return saved, nil
}

func saveLogin(l login) (string, error) {
	file, err := loginFile()
	if err != nil {
		return "", err
	}
	raw, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", fmt.Errorf("save the login: %w", err)
	}
	part, err := os.CreateTemp(filepath.Dir(file), ".login-*") // 0600 from its first moment
	if err != nil {
		return "", fmt.Errorf("save the login: %w", err)
	}
	_, err = part.Write(append(raw, '\n'))
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("save the login: %w", err), os.Remove(part.Name()))
	}
	return file, nil
}

func loginCommand() *cobra.Command {
	c := &remote{}
	cmd := &cobra.Command{
		Use: "login [SERVER]", Short: "Save the address of a server and an access token for the commands below", Args: usageArgs(cobra.MaximumNArgs(1)),
		Long: "Save the address of a server and an access token for other commands, in a file that only you can read.\n" +
			"The token is read from --token, DORADO_TOKEN or, without those, a line of standard input. Make one on the page Access tokens.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				c.server = args[0]
			}
			if c.token == "" && os.Getenv("DORADO_TOKEN") == "" {
				fmt.Fprint(cmd.ErrOrStderr(), "Access token: ")
				line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
				if line = strings.TrimSpace(line); line == "" {
					return usageError{errors.Join(errors.New("no token was given"), err)}
				}
				c.token = line
			}
			if err := c.ready(); err != nil {
				return err
			}
			var me struct {
				Name string `json:"userName"`
			}
			if err := c.call(cmd.Context(), http.MethodGet, "/users/get-user-info", nil, &me); err != nil {
				return err
			}
			file, err := saveLogin(login{Server: c.server, Token: c.token})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "You are %s at %s (kept in %s)\n", me.Name, c.server, file)
			return nil
		},
	}
	c.where(cmd)
	return cmd
}

func logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "Forget what `dorado login` saved; the token stays valid until it is revoked", Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			file, err := loginFile()
			if err != nil {
				return err
			}
			if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("forget the login: %w", err)
			}
			return nil
		},
	}
}
