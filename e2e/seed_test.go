//go:build e2e

package e2e

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"dorado/e2e/harness/browser"
)

// tenantName is an account of this machine that tasks may run as.
func tenantName(t *testing.T) string {
	t.Helper()
	me, err := user.Current()
	require.NoError(t, err)
	if me.Uid == "0" {
		return "nobody"
	}
	return me.Username
}

// mailServer takes the mails of ann and says where it listens.
func mailServer(t *testing.T) (box mailbox, host, port string) {
	t.Helper()
	box = mailbox{make(chan string, 100)}
	server := smtp.NewServer(box)
	server.AllowInsecureAuth = true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	host, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return box, host, port
}

// letter is a mail taken apart.
type letter struct {
	subject, text string
	files         map[string][]byte // by name
}

func unfold(t *testing.T, raw string) letter {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	require.NoError(t, err)
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	require.NoError(t, err)
	out := letter{subject: subject, files: map[string][]byte{}}
	var part func(kind, encoding, file string, r io.Reader)
	part = func(kind, encoding, file string, r io.Reader) {
		media, params, err := mime.ParseMediaType(kind)
		require.NoError(t, err)
		if strings.HasPrefix(media, "multipart/") {
			parts := multipart.NewReader(r, params["boundary"])
			for {
				p, err := parts.NextPart() // decodes quoted-printable by itself
				if err == io.EOF {
					return
				}
				require.NoError(t, err)
				part(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p.FileName(), p)
			}
		}
		if strings.EqualFold(encoding, "base64") {
			r = base64.NewDecoder(base64.StdEncoding, r)
		}
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		if file != "" {
			out.files[file] = content
		} else {
			out.text += string(content)
		}
	}
	part(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), "", m.Body)
	return out
}

// Everything a new team does, in the browser: the administrator makes a queue, a tenant, a user and a way to be told; Mia
// makes a project, connects a database, uploads a script, draws a task that uses it and a query whose result is mailed, puts
// it online and runs it. The mail has the right table and the right attachment. Then the clock runs it again, and the
// monitor says that all is well.
func TestANewTeamGetsItsFirstReportByMail(t *testing.T) {
	t.Parallel()
	dwh, err := url.Parse(database(t))
	require.NoError(t, err)
	secret, _ := dwh.User.Password()
	box, host, port := mailServer(t)
	s := standalone(t)
	look := browser.Look{Language: "en"}
	shot := func(tab *browser.Tab, name string) { tab.Screenshot("seed-" + name) }
	named := func(name string) string { return `main form [name="` + name + `"]` }

	admin := chromium(t).Tab(t, s.URL, look)
	admin.SignIn("admin", password)
	fill := func(tab *browser.Tab, path string, fields ...string) {
		t.Helper()
		tab.Goto(path)
		for i := 0; i < len(fields); i += 2 {
			tab.Fill(named(fields[i]), fields[i+1])
		}
	}
	fill(admin, "/security/yarn-queues/new", "name", "reports", "value", "root.reports")
	admin.Submit()
	admin.WaitText("main", "root.reports")
	fill(admin, "/security/tenants/new", "code", tenantName(t))
	admin.Choose(named("queue_id"), browser.Eval[string](admin, `[...document.querySelectorAll('main form [name="queue_id"] option')].find((o) => o.innerText.includes('reports')).value`))
	admin.Submit()
	admin.WaitText("main", tenantName(t))
	fill(admin, "/security/users/new", "name", "mia", "email", "mia@example.org", "password", "Mia-passw0rd-2026")
	admin.Choose(named("tenant_id"), browser.Eval[string](admin, `[...document.querySelectorAll('main form [name="tenant_id"] option')].find((o) => o.innerText.includes(`+"`"+tenantName(t)+"`"+`)).value`))
	admin.Submit()
	admin.WaitText("main", "mia")
	fill(admin, "/security/alarm-instances/new?plugin=Email", "name", "mail of the team", "p.receivers", "team@example.org", "p.serverHost", host, "p.serverPort", port,
		"p.sender", "dorado@example.org", "p.User", "ann", "p.Password", "Mail-passw0rd")
	browser.Eval[bool](admin, `(() => { for (const n of ['p.starttlsEnable', 'p.sslEnable']) { const b = document.querySelector('main form input[type=checkbox][name="' + n + '"]'); if (b?.checked) b.click(); } return true; })()`)
	admin.Choose(named("p.showType"), "table attachment")
	shot(admin, "1-mail")
	admin.Submit()
	admin.WaitText("main", "mail of the team")
	fill(admin, "/security/alarm-groups/new", "name", "team")
	admin.Click(browser.Test("alertgroup.instances")+" label", "mail of the team")
	admin.Submit()
	admin.WaitText("main", "team")

	mia := chromium(t).Tab(t, s.URL, look)
	mia.SignIn("mia", "Mia-passw0rd-2026")
	mia.Fill(`main [name="password"]`, "her-own-Choice-1") // what an administrator chose is changed first
	mia.Fill(`main [name="repeat"]`, "her-own-Choice-1")
	mia.Submit()
	mia.Wait("the password to be hers", "location.pathname !== '/password'")
	fill(mia, "/datasources/new?type=POSTGRESQL", "name", "warehouse", "p.host", dwh.Hostname(), "p.port", dwh.Port(), "p.database", strings.TrimPrefix(dwh.Path, "/"),
		"p.userName", dwh.User.Username(), "p.password", secret)
	shot(mia, "2-datasource")
	mia.Submit()
	mia.WaitText("main", "warehouse")

	script := filepath.Join(t.TempDir(), "greet.sh")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\necho \"greetings from $(id -un) in $1\"\n"), 0o600))
	mia.Goto("/resources/files")
	mia.Upload(browser.Test("files.pick"), script)
	mia.WaitText(browser.Test("files.table"), "greet.sh")
	mia.Click(browser.Test("files.open"), "greet.sh")
	file := strings.TrimSpace(mia.Text(browser.Test("file.full_name")))

	mia.CreateProject("reports")
	mia.NewWorkflow()
	editor := mia.Editor()
	editor.Drop("SHELL", -200, 0, "greet")
	editor.Script("./greet.sh 数据")
	mia.Click(browser.Test("field.resourceList.add"))
	mia.Fill(browser.Test("field.resourceList.0.resourceName"), file)
	editor.ClosePanel()
	editor.Drop("SQL", 120, 0, "orders")
	mia.Choose(browser.Test("field.type"), "POSTGRESQL")
	editor.Pick("field.datasource", "warehouse")
	editor.Code("sql", "SELECT region, orders FROM (VALUES ('north', 7), ('süd 数据', 12)) AS t (region, orders) WHERE orders > ${least} ORDER BY orders -- a comment; with a semicolon")
	mia.Click(browser.Test("field.sendEmail"))
	mia.Fill(browser.Test("field.title"), "Orders of the day")
	editor.Pick("field.groupId", "team")
	mia.Click(browser.Test("editor.tab.params"))
	mia.Click(browser.Test("field.localParams.add"))
	mia.Fill(browser.Test("field.localParams.0.prop"), "least")
	mia.Choose(browser.Test("field.localParams.0.type"), "INTEGER")
	mia.Fill(browser.Test("field.localParams.0.value"), "5")
	shot(mia, "3-params")
	mia.Click(browser.Test("editor.tab.task"))
	shot(mia, "3-sql")
	editor.ClosePanel()
	editor.Connect("greet", "orders")
	editor.Save("daily report", true)
	editor.Run()
	mia.WaitRun("SUCCESS")
	instance := mia.Path()
	shot(mia, "4-green")
	mia.Editor().OpenLog("greet")
	mia.WaitText(browser.Test("log.body"), "greetings from "+tenantName(t)+" in 数据")
	mia.Goto(instance)
	mia.Editor().OpenLog("orders")
	mia.WaitText(browser.Test("log.body"), "süd 数据")
	require.NotContains(t, mia.Text(browser.Test("log.body")), secret+"@")
	shot(mia, "5-log")

	check := func() {
		t.Helper()
		var got letter
		select {
		case raw := <-box.mails:
			got = unfold(t, raw)
		case <-time.After(time.Minute):
			t.Fatal("no mail came")
		}
		require.Contains(t, got.subject, "Orders of the day")
		for _, text := range []string{"<table", "region", "north", "süd 数据", "12"} {
			require.Contains(t, got.text, text)
		}
		require.Len(t, got.files, 1)
		for name, content := range got.files {
			require.True(t, strings.HasSuffix(name, ".xlsx"), name)
			book, err := excelize.OpenReader(bytes.NewReader(content))
			require.NoError(t, err)
			rows, err := book.GetRows(book.GetSheetName(0))
			require.NoError(t, err)
			require.Equal(t, [][]string{{"region", "orders"}, {"north", "7"}, {"süd 数据", "12"}}, rows)
			require.NoError(t, book.Close())
		}
	}
	check()

	mia.Goto(strings.Replace(instance[:strings.Index(instance, "/instances/")], "/instances/", "", 1) + "/workflows")
	mia.Click(browser.Test("workflow.daily report") + " [aria-haspopup=true]")
	mia.Click(browser.Test("row.schedules"))
	mia.Fill(browser.Test("timing.crontab"), "0/3 * * * * ? *")
	mia.Click(browser.Test("timing.crontab"))
	mia.Press(kb.Enter)
	mia.Click(browser.Test("row.online"))
	mia.Submit()
	mia.See(browser.Test("row.offline"))
	check()
	mia.Click(browser.Test("row.offline"))
	mia.See(browser.Test("row.online"))

	for _, page := range []string{"/monitor/masters", "/monitor/workers", "/monitor/db", "/monitor/alert-servers", "/monitor/statistics"} {
		admin.Goto(page)
		require.False(t, admin.Has(".page-error"), page)
	}
	admin.Goto("/monitor/workers")
	require.True(t, admin.Has(browser.Test("monitor.node")))
	require.False(t, admin.Has(".mon-node.late"))
	shot(admin, "6-monitor")
	silent(t, mia)
	silent(t, admin)
}
