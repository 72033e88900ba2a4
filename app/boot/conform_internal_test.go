package boot

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/config"
	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/engine"
)

// TestHowMuchOfTheInterfaceConforms plays testdata/ds-scenario.txt against the whole program on both databases: a valid call
// of each endpoint, and what must come back: HTTP status, code, and the members of data, those of nested objects, too, as
// testdata/ds-schemas.txt has them. Where 3.2 has another address the call is made there as well, and the answer must have the
// older names. What does not conform is listed in testdata/ds-gaps.txt with the reason, so the figure can only rise.
func TestHowMuchOfTheInterfaceConforms(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLiteFile, "postgres": dbtest.PostgresURL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, open(t))
			for _, c := range readScenario(t, "testdata/ds-scenario.txt") {
				s.play(t, c)
			}
			s.compare(t)
		})
	}
}

// stage is the program on which a scenario is played.
type stage struct {
	core    *core
	handler http.Handler
	session map[string]string // of users, by name
	vars    map[string]string
	shapes  shapes
	old     map[string]string   // the address of 3.2, by endpoint
	failed  map[string][]string // what is wrong, by endpoint
	played  map[string]bool
}

const stagePassword = "Contract-Test-1"

func newStage(t *testing.T, database string) *stage {
	t.Helper()
	cfg := config.Default(t.TempDir())
	cfg.Database = database
	cfg.Identity.Registration = true
	cfg.Storage.Type = "local"
	logger := slog.New(slog.DiscardHandler)
	c, err := open(t.Context(), cfg, logger)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.close()) })
	m, err := newModules(t.Context(), c, engine.New(cfg.Master, engine.Deps{DB: c.db, Logger: logger, Now: time.Now, Metrics: c.metrics}))
	require.NoError(t, err)
	m.instance.Streams = savedStreams{}
	_, _, err = m.identity.EnsureAdmin(access.WithPrincipal(t.Context(), access.System()), stagePassword)
	require.NoError(t, err)
	vars := map[string]string{"password": stagePassword, "now": time.Now().UTC().Format(time.DateTime)}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	t.Cleanup(hook.Close)
	vars["hook"] = hook.URL
	other, err := url.Parse(dbtest.PostgresURL(t)) // a database to connect to
	require.NoError(t, err)
	vars["pgHost"], vars["pgPort"], vars["pgUser"] = other.Hostname(), other.Port(), other.User.Username()
	vars["pgPassword"], _ = other.User.Password()
	vars["pgDatabase"] = strings.TrimPrefix(other.Path, "/")
	return &stage{
		core: c, handler: m.handler(c), session: map[string]string{}, shapes: readShapes(t, "testdata/ds-schemas.txt"),
		vars: vars,
		old:  oldAddresses(t), failed: map[string][]string{}, played: map[string]bool{},
	}
}

// savedStreams stands for workers whose streaming jobs write down their state.
type savedStreams struct{}

func (savedStreams) Savepoint(context.Context, string, int64) (string, error) {
	return "file:/s/1", nil
}

// oldAddresses are the addresses of 3.2 of the endpoints that were renamed.
func oldAddresses(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, line := range lines(t, "testdata/ds-endpoints.txt") {
		if part := strings.Fields(line); len(part) > 3 {
			out[part[1]+" "+part[2]] = part[3]
		}
	}
	return out
}

// call is one entry of a scenario.
type call struct {
	line     int
	endpoint string // "GET /projects/{code}"; empty for a line that only prepares something
	path     map[string]string
	fields   [][2]string
	json     string
	file     [3]string // field, type, content
	as       string
	status   int
	code     int
	shape    string
	keep     map[string]string // by variable
	sql      []string
	onlyNew  bool // not repeated at the address of 3.2: it can only be done once
	onlyOld  bool // made there alone: the answer is another one
	until    int  // the code by which a gap is refused, and by nothing else
}

// readScenario reads a scenario: entries begin in the first column, what belongs to them is indented.
func readScenario(t *testing.T, file string) []*call {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var all []*call
	var now *call
	for n, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		word, rest, _ := strings.Cut(trimmed, " ")
		if line[0] != ' ' {
			now = &call{line: n + 1, endpoint: trimmed, path: map[string]string{}, keep: map[string]string{}, as: "admin", status: http.StatusOK, shape: "any"}
			if word == "prepare" {
				now.endpoint = ""
			}
			all = append(all, now)
			continue
		}
		require.NotNil(t, now, "%s:%d", file, n+1)
		name, value, _ := strings.Cut(rest, "=")
		switch word {
		case "path":
			for pair := range strings.FieldsSeq(rest) {
				name, value, _ := strings.Cut(pair, "=")
				now.path[name] = value
			}
		case "form":
			for pair := range strings.SplitSeq(rest, " | ") {
				name, value, _ := strings.Cut(pair, "=")
				now.fields = append(now.fields, [2]string{strings.TrimSpace(name), value})
			}
		case "json":
			now.json = rest
		case "file":
			kind, content, _ := strings.Cut(value, " ")
			now.file = [3]string{name, kind, content}
		case "as":
			now.as = rest
		case "once":
			now.onlyNew = true
		case "old":
			now.onlyOld = true
		case "until":
			now.until, err = strconv.Atoi(rest)
			require.NoError(t, err, "%s:%d", file, n+1)
		case "sql":
			now.sql = append(now.sql, rest)
		case "keep":
			now.keep[name] = value
		case "want":
			part := strings.Fields(rest)
			now.status, err = strconv.Atoi(part[0])
			require.NoError(t, err, "%s:%d", file, n+1)
			now.code, err = strconv.Atoi(part[1])
			require.NoError(t, err, "%s:%d", file, n+1)
			now.shape = strings.Join(part[2:], " ")
		default:
			t.Fatalf("%s:%d: %q is no word of a scenario", file, n+1, word)
		}
	}
	return all
}

// variable is $name or ${name}; ${a.b} is none.
var variable = regexp.MustCompile(`\$[A-Za-z][A-Za-z0-9]*|\$\{[A-Za-z][A-Za-z0-9]*\}`)

// fill puts the variables into a text.
func (s *stage) fill(text string) string {
	return variable.ReplaceAllStringFunc(text, func(name string) string {
		value, known := s.vars[strings.Trim(name, "${}")]
		if !known {
			return name
		}
		return value
	})
}

// play makes a call and notes what is wrong with its answer.
func (s *stage) play(t *testing.T, c *call) {
	t.Helper()
	for _, query := range c.sql {
		args := slices.Repeat([]any{db.Cut(time.Now())}, strings.Count(query, "NOW"))
		_, err := s.core.db.Exec(t.Context(), strings.ReplaceAll(s.fill(query), "NOW", "?"), args...)
		if err != nil {
			t.Errorf("line %d: %s: %v", c.line, query, err)
		}
	}
	if c.endpoint == "" {
		return
	}
	s.played[c.endpoint] = true
	method, pattern, _ := strings.Cut(c.endpoint, " ")
	if old := s.old[c.endpoint]; old != "" && !c.onlyNew {
		s.check(t, c, method, old, oldWords)
	}
	if !c.onlyOld {
		s.check(t, c, method, pattern, wordsAt(pattern))
	}
}

// check makes a call at one of its addresses.
func (s *stage) check(t *testing.T, c *call, method, pattern string, said words) {
	t.Helper()
	wrong := func(format string, args ...any) {
		s.failed[c.endpoint] = append(s.failed[c.endpoint], fmt.Sprintf("line %d, %s: ", c.line, pattern)+fmt.Sprintf(format, args...))
	}
	rec := s.send(t, c, method, s.address(c, pattern))
	body := rec.Body.Bytes()
	if rec.Code != c.status {
		wrong("HTTP %d instead of %d: %.300s", rec.Code, c.status, body)
		return
	}
	kind, bare := strings.CutPrefix(c.shape, "bare ")
	if c.shape == "raw" {
		return
	}
	data := json.RawMessage(body)
	if !bare {
		var envelope map[string]json.RawMessage
		if err := json.Unmarshal(body, &envelope); err != nil {
			wrong("no JSON: %.300s", body)
			return
		}
		if got := string(envelope["code"]); got != strconv.Itoa(c.code) {
			wrong("code %s instead of %d: %s", got, c.code, envelope["msg"])
			if c.until != 0 && got != strconv.Itoa(c.until) {
				t.Errorf("line %d, %s: what is not there yet is refused with %d, not with %s", c.line, pattern, c.until, got)
			}
			return
		}
		members := slices.Sorted(maps.Keys(envelope))
		if want := []string{"code", "data", "failed", "msg", "success"}; !slices.Equal(members, want) && !strings.HasPrefix(kind, "with ") {
			wrong("the envelope has %v", members)
		}
		kind, _ = strings.CutPrefix(kind, "with ")
		data = envelope["data"]
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		wrong("data is no JSON: %v", err)
		return
	}
	for _, problem := range s.shapes.check(kind, value, said) {
		wrong("%s", problem)
	}
	for name, from := range c.keep {
		got, ok := dig(value, from)
		if !ok {
			wrong("data has no %s: %.300s", from, data)
			continue
		}
		s.vars[name] = got
	}
}

// address is where a call goes.
func (s *stage) address(c *call, pattern string) string {
	return regexp.MustCompile(`\{([^}]*)\}`).ReplaceAllStringFunc(pattern, func(name string) string {
		name = strings.Trim(name, "{}")
		if value, ok := c.path[name]; ok {
			return s.fill(value)
		}
		return s.vars[name]
	})
}

func (s *stage) send(t *testing.T, c *call, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	var body bytes.Buffer
	kind := "application/x-www-form-urlencoded"
	form := url.Values{}
	for _, f := range c.fields {
		form.Add(f[0], s.fill(f[1]))
	}
	switch {
	case c.json != "":
		kind = "application/json"
		body.WriteString(s.fill(c.json))
	case c.file[0] != "":
		w := multipart.NewWriter(&body)
		for name := range form {
			require.NoError(t, w.WriteField(name, form.Get(name)))
		}
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename="file.json"`, c.file[0])}, "Content-Type": {c.file[1]},
		})
		require.NoError(t, err)
		_, err = part.Write([]byte(s.fill(c.file[2])))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		kind = w.FormDataContentType()
	case method == http.MethodGet:
		path += "?" + form.Encode()
	default:
		body.WriteString(form.Encode())
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "http://dorado.test"+apiPath+path, &body)
	r.Header.Set("Content-Type", kind)
	r.Header.Set("X-Forwarded-For", "10.1.2.3")
	if c.as != "nobody" {
		r.Header.Set("sessionId", s.signedIn(t, c.as))
	}
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, r)
	return rec
}

// signedIn is the session of a user.
func (s *stage) signedIn(t *testing.T, name string) string {
	t.Helper()
	if id := s.session[name]; id != "" {
		return id
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://dorado.test"+apiPath+"/login",
		strings.NewReader(url.Values{"userName": {name}, "userPassword": {stagePassword}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	s.handler.ServeHTTP(rec, r)
	var answer struct{ Data struct{ SessionID string } }
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &answer), rec.Body.String())
	require.NotEmpty(t, answer.Data.SessionID, "%s: %s", name, rec.Body.String())
	s.session[name] = answer.Data.SessionID
	return answer.Data.SessionID
}

// compare counts what conforms and compares it with the list of gaps.
func (s *stage) compare(t *testing.T) {
	t.Helper()
	gaps, figure := map[string]string{}, ""
	for _, line := range lines(t, "testdata/ds-gaps.txt") {
		if rest, ok := strings.CutPrefix(line, "figure "); ok {
			figure = rest
			continue
		}
		endpoint, why, found := strings.Cut(line, ": ")
		require.True(t, found && why != "", "every gap has its reason: %s", line)
		gaps[endpoint] = why
	}
	conform, all := map[bool]int{}, map[bool]int{} // by whether only 3.2 has it
	known := map[string]bool{}
	for _, line := range lines(t, "testdata/ds-endpoints.txt") {
		part := strings.Fields(line)
		endpoint, old := part[1]+" "+part[2], part[0] == "46"
		known[endpoint] = true
		all[old]++
		problems := s.failed[endpoint]
		if !s.played[endpoint] {
			problems = []string{"the scenario does not call it"}
		}
		_, listed := gaps[endpoint]
		switch {
		case len(problems) == 0:
			conform[old]++
			if listed {
				t.Errorf("%s conforms: take it off testdata/ds-gaps.txt", endpoint)
			}
		case !listed:
			t.Errorf("%s does not conform:\n  %s", endpoint, strings.Join(problems, "\n  "))
		default:
			t.Logf("%s does not conform (%s):\n  %s", endpoint, gaps[endpoint], strings.Join(problems, "\n  "))
		}
	}
	for endpoint := range s.played {
		require.True(t, known[endpoint], "the table has no %s", endpoint)
	}
	require.Equal(t, figure, fmt.Sprint(conform[false], " ", conform[true]), "testdata/ds-gaps.txt holds how many conform; it only rises")
	t.Logf("%d of %d endpoints conform, and %d of the %d that only 3.2 has", conform[false], all[false], conform[true], all[true])
}

// dig finds a part of a value: "code", "totalList.0.id", "." for all of it.
func dig(value any, path string) (string, bool) {
	if path != "." {
		for part := range strings.SplitSeq(path, ".") {
			switch v := value.(type) {
			case map[string]any:
				value = v[part]
			case []any:
				n, err := strconv.Atoi(part)
				if err != nil || n >= len(v) {
					return "", false
				}
				value = v[n]
			}
		}
	}
	switch v := value.(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	default:
		text, err := json.Marshal(v)
		return string(text), err == nil
	}
}
