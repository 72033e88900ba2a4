package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func exportFileCommand() *cobra.Command {
	c := &remote{}
	var all bool
	var file string
	cmd := &cobra.Command{
		Use: "export [NAME...]", Short: "Write workflows in the file format of DolphinScheduler (for YAML: dorado workflow export)", Args: cobra.ArbitraryArgs,
		ValidArgsFunction: c.offerWorkflows(true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) != all {
				return usageError{errors.New("name the workflows, or give --all")}
			}
			ctx := cmd.Context()
			in, err := c.place(ctx)
			if err != nil {
				return err
			}
			codes, err := c.codes(ctx, in, args)
			if err != nil {
				return err
			}
			fields := url.Values{"codes": {strings.Join(codes, ",")}}
			a, err := c.send(ctx, http.MethodPost, in+"/workflow-definition/batch-export", "application/x-www-form-urlencoded", strings.NewReader(fields.Encode()))
			if err != nil {
				return err
			}
			if !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") { // no file: why not
				if err := c.understand(a, nil); err != nil {
					return err
				}
				return errors.New("the server sent no file")
			}
			if file == "" || file == "-" {
				_, err = cmd.OutOrStdout().Write(a.text)
				return err
			}
			if err := writeFile(file, string(a.text)); err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), file)
			return nil
		},
	}
	c.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all workflows of the project")
	cmd.Flags().StringVarP(&file, "file", "f", "", "file to write; else standard output")
	return cmd
}

// codes are those of the named workflows, of all without names.
func (c *remote) codes(ctx context.Context, in string, names []string) ([]string, error) {
	var codes []string
	if len(names) == 0 {
		all, err := c.workflows(ctx, in)
		for _, w := range all {
			codes = append(codes, strconv.FormatInt(w.Code, 10))
		}
		if err == nil && len(codes) == 0 {
			err = errors.New("the project has no workflows")
		}
		return codes, err
	}
	for _, name := range names {
		w, err := c.workflow(ctx, in, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		codes = append(codes, strconv.FormatInt(w.Code, 10))
	}
	return codes, nil
}

func importFileCommand() *cobra.Command {
	c := &remote{}
	cmd := &cobra.Command{
		Use: "import FILE...", Short: "Make workflows of files that DolphinScheduler or another scheduler exported (for YAML: dorado workflow import)",
		Args: usageArgs(cobra.MinimumNArgs(1)),
		Long: "Make new workflows, offline, of files that DolphinScheduler exported. Names that are taken get the time behind them.\n" +
			"The page Import shows first what would happen, and lets one choose what stands for missing references.",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			in, err := c.place(ctx)
			if err != nil {
				return err
			}
			return every(cmd, args, func(name string) error {
				if err := c.upload(ctx, in, name); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: imported\n", name)
				return nil
			})
		},
	}
	c.flags(cmd)
	return cmd
}

// upload sends a file as a form does.
func (c *remote) upload(ctx context.Context, in, name string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	file, err := os.Open(name)
	if err != nil {
		return err //nolint:wrapcheck // says which file, and why
	}
	defer file.Close()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", filepath.Base(name))
	if err == nil {
		_, err = io.Copy(part, io.LimitReader(file, answerSize))
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	a, err := c.send(ctx, http.MethodPost, in+"/workflow-definition/import", form.FormDataContentType(), &body)
	if err != nil {
		return err
	}
	return c.understand(a, nil)
}
