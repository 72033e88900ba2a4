package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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
	output  string
}

// flags adds what every command that talks to a server needs.
func (c *remote) flags(cmd *cobra.Command) {
	c.where(cmd)
	f := cmd.PersistentFlags()
	f.StringVarP(&c.project, "project", "p", os.Getenv("DORADO_PROJECT"), "name or code of the project (else DORADO_PROJECT)")
	offer(cmd, "project", c.projectNames)
	f.StringVarP(&c.output, "output", "o", outputTable, "how lists are shown: table or json")
	offer(cmd, "output", func(context.Context) []string { return []string{outputTable, outputJSON} })
}

// where adds what says which server, and as whom.
func (c *remote) where(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&c.server, "server", os.Getenv("DORADO_SERVER"), "address of the server (else DORADO_SERVER, else that of dorado login, else http://127.0.0.1:12345)")
	f.StringVar(&c.token, "token", "", "access token of a user (better: DORADO_TOKEN or dorado login, which no process list shows)")
}

// ready checks the flags and fills what was not given: from the environment, else from the last login.
func (c *remote) ready() error {
	if c.output != outputTable && c.output != outputJSON && c.output != "" {
		return usageError{fmt.Errorf("--output %s: table or json", c.output)}
	}
	if c.token == "" {
		c.token = os.Getenv("DORADO_TOKEN")
	}
	saved, err := readLogin()
	if err != nil {
		return err
	}
	if c.server == "" {
		c.server = saved.Server
	}
	if c.server == "" {
		c.server = defaultServer
	}
	if !strings.Contains(c.server, "://") {
		c.server = "http://" + c.server
	}
	u, err := url.Parse(c.server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usageError{fmt.Errorf("--server %s: write http://host:port", c.server)}
	}
	c.server = strings.TrimSuffix(c.server, "/")
	if c.token == "" && c.server == saved.Server { // a token is for the server that gave it
		c.token = saved.Token
	}
	if c.token == "" {
		return usageError{errors.New("give an access token in DORADO_TOKEN or with --token, or save one with `dorado login`")}
	}
	return nil
}

// defaultServer is where a program on this machine listens that nobody configured.
const defaultServer = "http://127.0.0.1:12345"

const (
	requestTime = 2 * time.Minute
	answerSize  = 256 << 20
)

// call sends fields, in the query of a GET and as a form else, and decodes the data of the answer.
func (c *remote) call(ctx context.Context, method, path string, fields url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	body, kind := io.Reader(http.NoBody), "application/x-www-form-urlencoded"
	if method == http.MethodGet {
		path += "?" + fields.Encode()
	} else {
		body = strings.NewReader(fields.Encode())
	}
	a, err := c.send(ctx, method, path, kind, body)
	if err != nil {
		return err
	}
	return c.understand(a, into)
}

// answer is what a server said.
type answer struct {
	code   int
	status string
	header http.Header
	text   []byte
}

// send sends a request and returns what was answered.
func (c *remote) send(ctx context.Context, method, path, kind string, body io.Reader) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.server+"/dolphinscheduler"+path, body)
	if err != nil {
		return answer{}, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("token", c.token)
	req.Header.Set("language", "en_US")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if refused, ok := errors.AsType[*url.Error](err); ok {
			err = refused.Err // without the address, which the sentence names
		}
		return answer{}, fmt.Errorf("cannot reach %s: %w", c.server, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, answerSize))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer of %s: %w", c.server, err)
	}
	return answer{res.StatusCode, res.Status, res.Header, text}, nil
}

// refusal is a no of the server, with its number.
type refusal struct {
	code    int
	message string
}

func (r *refusal) Error() string { return r.message }

// noLog is the number for a log that is not there.
const noLog = 10191

// understand reads an answer in its envelope.
func (c *remote) understand(a answer, into any) error {
	var said struct {
		Code int             `json:"code"`
		Msg  string          `json:"msg"`
		Data json.RawMessage `json:"data"`
	}
	switch err := json.Unmarshal(a.text, &said); {
	case a.code == http.StatusUnauthorized:
		return errors.New("the server does not know this token, or it has expired")
	case err != nil:
		return fmt.Errorf("%s answered %s, which is no answer of Dorado", c.server, a.status)
	case said.Code != 0:
		return &refusal{said.Code, said.Msg}
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(said.Data, into); err != nil {
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
	if c.project == "" {
		return "", usageError{errors.New("name a project with --project or in DORADO_PROJECT")}
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

// rows reads a list page by page, at most limit of it; 0 is all.
func (c *remote) rows(ctx context.Context, path string, fields url.Values, limit int) ([]json.RawMessage, error) {
	all := []json.RawMessage{}
	for page := 1; ; page++ {
		var got struct {
			Rows  []json.RawMessage `json:"totalList"`
			Total int               `json:"total"`
		}
		asked := maps.Clone(fields)
		if asked == nil {
			asked = url.Values{}
		}
		asked.Set("pageNo", strconv.Itoa(page))
		asked.Set("pageSize", strconv.Itoa(pageSize))
		if err := c.call(ctx, http.MethodGet, path, asked, &got); err != nil {
			return nil, err
		}
		all = append(all, got.Rows...)
		if limit > 0 && len(all) >= limit {
			return all[:limit], nil
		}
		if len(got.Rows) < pageSize || len(all) >= got.Total {
			return all, nil
		}
	}
}

// each decodes rows.
func each[T any](rows []json.RawMessage) ([]T, error) {
	out := make([]T, len(rows))
	for i, raw := range rows {
		if err := json.Unmarshal(raw, &out[i]); err != nil {
			return nil, fmt.Errorf("understand the answer: %w", err)
		}
	}
	return out, nil
}

// workflows lists those of a project.
func (c *remote) workflows(ctx context.Context, in string) ([]named, error) {
	rows, err := c.rows(ctx, in+"/workflow-definition", nil, 0)
	if err != nil {
		return nil, err
	}
	return each[named](rows)
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
