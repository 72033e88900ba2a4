package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// remote is a server that a command talks to.
type remote struct {
	server  string
	token   string
	project string
}

// flags adds what every command that talks to a server needs.
func (c *remote) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&c.server, "server", os.Getenv("DORADO_SERVER"), "address of the server (else DORADO_SERVER; default http://127.0.0.1:12345)")
	f.StringVar(&c.token, "token", "", "access token of a user (better: DORADO_TOKEN, which no process list shows)")
	f.StringVarP(&c.project, "project", "p", os.Getenv("DORADO_PROJECT"), "name or code of the project (else DORADO_PROJECT)")
}

// ready checks the flags.
func (c *remote) ready() error {
	if c.server == "" {
		c.server = "http://127.0.0.1:12345"
	}
	if !strings.Contains(c.server, "://") {
		c.server = "http://" + c.server
	}
	u, err := url.Parse(c.server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usageError{fmt.Errorf("--server %s: write http://host:port", c.server)}
	}
	c.server = strings.TrimSuffix(c.server, "/")
	if c.token == "" {
		c.token = os.Getenv("DORADO_TOKEN")
	}
	if c.token == "" {
		return usageError{errors.New("give an access token in DORADO_TOKEN or with --token")}
	}
	if c.project == "" {
		return usageError{errors.New("name a project with --project or in DORADO_PROJECT")}
	}
	return nil
}

const (
	requestTime = 2 * time.Minute
	answerSize  = 256 << 20
)

// call sends fields, in the query of a GET and as a form else, and decodes the data of the answer.
func (c *remote) call(ctx context.Context, method, path string, fields url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	address, body := c.server+"/dolphinscheduler"+path, io.Reader(http.NoBody)
	if method == http.MethodGet {
		address += "?" + fields.Encode()
	} else {
		body = strings.NewReader(fields.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("token", c.token)
	req.Header.Set("language", "en_US")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if refused, ok := errors.AsType[*url.Error](err); ok {
			err = refused.Err // without the address, which the sentence names
		}
		return fmt.Errorf("cannot reach %s: %w", c.server, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, answerSize))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.server, err)
	}
	var answer struct {
		Code int             `json:"code"`
		Msg  string          `json:"msg"`
		Data json.RawMessage `json:"data"`
	}
	switch err := json.Unmarshal(text, &answer); {
	case res.StatusCode == http.StatusUnauthorized:
		return errors.New("the server does not know this token, or it has expired")
	case err != nil:
		return fmt.Errorf("%s answered %s, which is no answer of Dorado", c.server, res.Status)
	case answer.Code != 0:
		return errors.New(answer.Msg)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		return fmt.Errorf("understand the answer of %s: %w", c.server, err)
	}
	return nil
}

// named is a project or a workflow.
type named struct {
	Code         int64  `json:"code"`
	Name         string `json:"name"`
	Version      int    `json:"version"`
	ReleaseState string `json:"releaseState"`
}

// place finds the path of the project.
func (c *remote) place(ctx context.Context) (string, error) {
	if err := c.ready(); err != nil {
		return "", err
	}
	var all []named
	if err := c.call(ctx, http.MethodGet, "/projects/list", nil, &all); err != nil {
		return "", err
	}
	for _, p := range all {
		if p.Name == c.project || strconv.FormatInt(p.Code, 10) == c.project {
			return "/projects/" + strconv.FormatInt(p.Code, 10), nil
		}
	}
	return "", fmt.Errorf("there is no project %q, or this user may not see it", c.project)
}

const pageSize = 100

// workflows lists those of a project, by name.
func (c *remote) workflows(ctx context.Context, in string) ([]named, error) {
	var all []named
	for page := 1; ; page++ {
		var got struct {
			Rows  []named `json:"totalList"`
			Total int     `json:"total"`
		}
		fields := url.Values{"pageNo": {strconv.Itoa(page)}, "pageSize": {strconv.Itoa(pageSize)}}
		if err := c.call(ctx, http.MethodGet, in+"/workflow-definition", fields, &got); err != nil {
			return nil, err
		}
		all = append(all, got.Rows...)
		if len(got.Rows) < pageSize || len(all) >= got.Total {
			return all, nil
		}
	}
}

// workflow finds one by name or code.
func (c *remote) workflow(ctx context.Context, in, name string) (named, error) {
	if code, err := strconv.ParseInt(name, 10, 64); err == nil && code > 1<<31 {
		return named{Code: code, Name: name}, nil
	}
	var got struct {
		Definition named `json:"workflowDefinition"`
	}
	err := c.call(ctx, http.MethodGet, in+"/workflow-definition/query-by-name", url.Values{"name": {name}}, &got)
	return got.Definition, err
}
