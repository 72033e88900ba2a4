package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"dorado/app/cli"
	"dorado/app/kit/db"
	"dorado/app/kit/testkit"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"dorado": func() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestCommandLine plays the sessions in testdata/script. "signin" waits for the server on $PORT and sets DORADO_SERVER
// and DORADO_TOKEN for the administrator, whose project "etl" it makes. "sql" runs a file of statements on a SQLite database.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			port, err := testkit.FreePort(context.Background())
			env.Setenv("PORT", strconv.Itoa(port))
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"sql": func(ts *testscript.TestScript, _ bool, args []string) {
				ctx := context.Background()
				d, err := db.Open(ctx, db.Config{URL: ts.MkAbs(args[0])}, slog.New(slog.DiscardHandler))
				ts.Check(err)
				_, err = d.SQLX().ExecContext(ctx, ts.ReadFile(args[1]))
				ts.Check(errors.Join(err, d.Close()))
			},
			"signin": func(ts *testscript.TestScript, _ bool, args []string) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				server := "http://127.0.0.1:" + ts.Getenv("PORT")
				token, err := signIn(ctx, server, args[0])
				ts.Check(err)
				ts.Setenv("DORADO_SERVER", server)
				ts.Setenv("DORADO_TOKEN", token)
				ts.Check(rest(ctx, server, "token", token, "/projects", url.Values{"projectName": {"etl"}}, nil))
			},
		},
	})
}

// signIn makes an access token for the administrator as soon as the server answers.
func signIn(ctx context.Context, server, password string) (string, error) {
	var session struct{ SessionID string }
	for {
		err := rest(ctx, server, "", "", "/login", url.Values{"userName": {"admin"}, "userPassword": {password}}, &session)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return "", errors.Join(ctx.Err(), err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	var token struct{ Token string }
	fields := url.Values{"userId": {strconv.Itoa(1)}, "expireTime": {time.Now().UTC().AddDate(1, 0, 0).Format(time.DateTime)}}
	err := rest(ctx, server, "sessionId", session.SessionID, "/access-tokens", fields, &token)
	return token.Token, err
}

func rest(ctx context.Context, server, header, value, path string, fields url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/dolphinscheduler"+path, strings.NewReader(fields.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if header != "" {
		req.Header.Set(header, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer := struct {
		Code int
		Msg  string
		Data any
	}{Data: into}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Code != 0 {
		return fmt.Errorf("%s: %s", path, answer.Msg)
	}
	return nil
}
