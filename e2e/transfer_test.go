//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
)

// post sends a file as a client of DolphinScheduler does, and decodes the data of the answer.
func post(ctx context.Context, t *testing.T, c *harness.Client, path, name string, data []byte, out any, fields ...string) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		require.NoError(t, form.WriteField(fields[i], fields[i+1]))
	}
	part, err := form.CreateFormFile("file", name)
	require.NoError(t, err)
	_, err = part.Write(data)
	require.NoError(t, err)
	require.NoError(t, form.Close())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+harness.Base+path, &body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("token", c.Token)
	res, err := c.HTTP.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var envelope struct {
		Code int
		Msg  string
		Data json.RawMessage
	}
	require.NoError(t, json.Unmarshal(raw, &envelope), string(raw))
	require.Zero(t, envelope.Code, envelope.Msg)
	require.NoError(t, json.Unmarshal(envelope.Data, out))
}

func exported(ctx context.Context, t *testing.T, c *harness.Client, project int64, family string, form url.Values) string {
	t.Helper()
	res, err := c.Do(ctx, http.MethodPost, "/projects/"+itoa(project)+"/"+family+"-definition/batch-export", form)
	require.NoError(t, err)
	defer func() { require.NoError(t, res.Body.Close()) }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(raw, []byte("[ {")), tail(string(raw), 300))
	return string(raw)
}

func published(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "transfer", name))
	require.NoError(t, err)
	return raw
}

// Somebody moves here with the files that every version of DolphinScheduler exported. testdata/transfer/README.md says where
// each structure was published.
func TestFilesOfDolphinSchedulerAreImportedAndRun(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	for _, c := range []struct {
		file, family string
		order        []string // how workflows go online and run, by the beginning of their names
		tasks        map[string]string
	}{
		{"1.3-shell.json", "process", []string{"list files"}, map[string]string{"list": "SUCCESS"}},
		{"1.3-conditions.json", "process", []string{"the rest", "branches"}, map[string]string{"try": "SUCCESS", "decide": "SUCCESS", "went well": "SUCCESS"}},
		{"2.0-switch.json", "process", []string{"switched"}, map[string]string{"first": "SUCCESS", "which": "SUCCESS", "big": "SUCCESS"}},
		{"3.2-dependent.json", "process", []string{"flow1", "flow3"}, map[string]string{"wait for flow1": "SUCCESS"}},
		{"3.3-form.json", "workflow", []string{"greet flow"}, map[string]string{"greet": "SUCCESS"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, 2*time.Minute)
			p := project(t, s.Admin, "from "+c.file)
			var last struct {
				Code         int64
				Name         string
				ReleaseState string
			}
			post(ctx, t, s.Admin, "/projects/"+itoa(p)+"/"+c.family+"-definition/import", c.file, published(t, c.file), &last)
			require.Equal(t, "OFFLINE", last.ReleaseState)
			require.Regexp(t, `_import_\d{17}$`, last.Name)
			list, err := s.Admin.Workflows(ctx, p, "")
			require.NoError(t, err)
			require.Len(t, list.TotalList, len(c.order))
			var run int64
			for _, name := range c.order {
				code := int64(0)
				for _, w := range list.TotalList {
					if strings.HasPrefix(w.Name, name+"_import_") {
						code = w.Code
					}
				}
				require.NotZero(t, code, name)
				require.NoError(t, s.Admin.Release(ctx, p, code, "ONLINE"))
				run, err = s.Admin.StartWorkflow(ctx, p, code, harness.StartOptions{})
				require.NoError(t, err)
				_, err = s.Admin.WaitInstance(ctx, p, run, 20*time.Millisecond, "SUCCESS")
				require.NoError(t, err)
			}
			tasks, err := s.Admin.Tasks(ctx, p, run)
			require.NoError(t, err)
			states := map[string]string{}
			for _, task := range tasks {
				states[task.Name] = task.State
			}
			for name, state := range c.tasks {
				require.Equal(t, state, states[name], name)
			}
		})
	}
}

func TestATypeThatCannotRunHereIsKeptAndSaysSo(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	ctx := within(t, 2*time.Minute)
	p := project(t, s.Admin, "foreign")
	raw := published(t, "3.3-grpc.json")
	var made struct{ Code int64 }
	post(ctx, t, s.Admin, "/projects/"+itoa(p)+"/workflow-definition/import", "grpc.json", raw, &made)
	dag, err := s.Admin.Workflow(ctx, p, made.Code)
	require.NoError(t, err)
	var file struct {
		TaskDefinitionJSON []struct{ TaskParams json.RawMessage } `json:"taskDefinitionJson"`
	}
	require.NoError(t, json.Unmarshal(raw, &file))
	require.JSONEq(t, string(file.TaskDefinitionJSON[0].TaskParams), string(dag.TaskDefinitionList[0].TaskParams), "nothing is lost")
	require.NoError(t, s.Admin.Release(ctx, p, made.Code, "ONLINE"))

	dry, err := s.Admin.StartWorkflow(ctx, p, made.Code, harness.StartOptions{DryRun: true})
	require.NoError(t, err)
	_, err = s.Admin.WaitInstance(ctx, p, dry, 20*time.Millisecond, "SUCCESS")
	require.NoError(t, err)

	id, err := s.Admin.StartWorkflow(ctx, p, made.Code, harness.StartOptions{})
	require.NoError(t, err)
	_, err = s.Admin.WaitInstance(ctx, p, id, 20*time.Millisecond, "FAILURE")
	require.NoError(t, err)
	tasks, err := s.Admin.Tasks(ctx, p, id)
	require.NoError(t, err)
	require.Equal(t, "FAILURE", tasks[0].State)
	log, err := s.Admin.TaskLog(ctx, tasks[0].ID, 0, 100)
	require.NoError(t, err)
	require.Contains(t, log.Message, "no worker of this version can run GRPC tasks")
}

func TestWhatIsExportedComesBackTheSame(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	ctx := within(t, 2*time.Minute)
	p := project(t, s.Admin, "round")
	var done struct {
		Workflows []struct {
			Code int64
			Name string
		}
	}
	post(ctx, t, s.Admin, "/projects/"+itoa(p)+"/workflow-definition/transfer/import", "dependent.json", published(t, "3.2-dependent.json"), &done, "keepCodes", "true")
	require.Len(t, done.Workflows, 2)
	codes := itoa(done.Workflows[0].Code) + "," + itoa(done.Workflows[1].Code)
	require.Equal(t, "118000000000002,118000000000001", codes, "they were free")

	// As DolphinScheduler does it: the same but for codes, numbers, times and the end of names.
	for _, family := range []string{"workflow", "process"} {
		first := exported(ctx, t, s.Admin, p, family, url.Values{"codes": {codes}})
		other := project(t, s.Admin, "round "+family)
		var last struct{ Code int64 }
		post(ctx, t, s.Admin, "/projects/"+itoa(other)+"/"+family+"-definition/import", "x.json", []byte(first), &last)
		list, err := s.Admin.Workflows(ctx, other, "flow3")
		require.NoError(t, err)
		second := exported(ctx, t, s.Admin, other, family, url.Values{"codes": {itoa(list.TotalList[0].Code) + "," + itoa(last.Code)}})
		require.Equal(t, unlike(first), unlike(second))
	}

	// With what belongs to an installation left out, and codes kept: the same bytes.
	stable := url.Values{"codes": {codes}, "stable": {"true"}}
	first := exported(ctx, t, s.Admin, p, "workflow", stable)
	for _, w := range done.Workflows {
		require.NoError(t, s.Admin.DeleteWorkflow(ctx, p, w.Code))
	}
	post(ctx, t, s.Admin, "/projects/"+itoa(p)+"/workflow-definition/transfer/import", "x.json", []byte(first), &done, "keepCodes", "true")
	require.Equal(t, first, exported(ctx, t, s.Admin, p, "workflow", stable))
}

// unlike masks what an import of DolphinScheduler makes anew.
func unlike(text string) string {
	text = regexp.MustCompile(`_import_\d{17}`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`\d{15}`).ReplaceAllString(text, "CODE")
	text = regexp.MustCompile(`"id" : \d+`).ReplaceAllString(text, `"id" : N`)
	return regexp.MustCompile(`"(createTime|updateTime|operateTime)" : "[^"]*"`).ReplaceAllString(text, `"$1" : T`)
}
