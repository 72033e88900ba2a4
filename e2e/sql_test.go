//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"dorado/e2e/harness"
	"dorado/e2e/harness/browser"
)

const orders = `CREATE TABLE "Orders" (id bigint PRIMARY KEY, customer text, placed timestamptz, amount numeric(10,2), note text)`

// source keeps a data source that leads to a PostgreSQL database of its own and returns its id.
func source(t *testing.T, c *harness.Client, name string) int64 {
	t.Helper()
	u, err := url.Parse(database(t))
	require.NoError(t, err)
	var made struct{ ID int64 }
	require.NoError(t, c.CallJSON(within(t, time.Minute), http.MethodPost, "/datasources", map[string]any{
		"type": "POSTGRESQL", "name": name, "note": "", "host": u.Hostname(), "port": u.Port(), "userName": u.User.Username(), "password": "",
		"database": strings.TrimPrefix(u.Path, "/"), "other": map[string]string{},
	}, &made))
	return made.ID
}

// Ana looks at the tables of a data source, asks it, gives up on a statement that takes too long, and makes a task of one.
func TestAnAnalystAsksADataSourceAndMakesATaskOfIt(t *testing.T) {
	t.Parallel()
	s := standalone(t)
	id := source(t, s.Admin, "warehouse")
	project(t, s.Admin, "retail")
	for _, look := range []browser.Look{{Language: "en"}, {Language: "zh", Dark: true}, {Language: "en", Width: 360, Height: 800}} {
		t.Run(fmt.Sprintf("%s-%d", look, look.Width), func(t *testing.T) {
			tab := chromium(t).Tab(t, s.URL, look)
			shot := func(name string) { tab.Screenshot(fmt.Sprintf("sql-%s-%d-%s", look, look.Width, name)) }
			tab.SignIn("admin", password)
			tab.Goto(fmt.Sprintf("/datasources/%d/sql", id))
			tab.See("code-field .cm-editor")
			shot("0-empty")
			write := func(sql string) { tab.Fill(browser.Test("sql.text.editor"), sql) }
			run := func(sql string) {
				write(sql)
				tab.Click(browser.Test("sql.run"))
				tab.Wait("the end of the statement", `document.querySelector('[data-cancel]').hidden`)
			}
			run(`DROP TABLE IF EXISTS "Orders"`)
			run(orders)
			tab.WaitText(browser.Test("sql.summary"), "0")
			run(`INSERT INTO "Orders" SELECT n, CASE WHEN n % 3 = 0 THEN NULL ELSE 'customer ' || n END, '2026-11-01 08:00:00Z'::timestamptz + n * interval '1 hour', n * 19.99, CASE WHEN n % 4 = 0 THEN repeat('a long note ', 40) END FROM generate_series(1, 1000) n`)
			tab.WaitText(browser.Test("sql.summary"), "1,000")

			tab.Click(browser.Test("sql.refresh"))
			tab.Click(browser.Test("sql.table"), "Orders")
			tab.See(browser.Test("sql.column"), "customer")
			write("SELECT * FROM ")
			tab.Click(browser.Test("sql.text.editor"))
			tab.Press(kb.End, kb.ModifierCtrl)
			tab.Click(browser.Test("sql.insert"))
			tab.Wait("the name in the statement", `document.querySelector('[data-test="sql.text"]').value.endsWith('"Orders"')`)
			tab.Press(kb.Enter, kb.ModifierCtrl)
			tab.WaitText(browser.Test("sql.table")+" thead", "amount")
			require.Equal(t, 200, browser.Eval[int](tab, `document.querySelectorAll('#sql-result tbody tr').length`))
			shot("1-rows")
			for _, v := range tab.Axe(axe) {
				t.Error(v.String())
			}
			require.LessOrEqual(t, browser.Eval[int](tab, "document.documentElement.scrollWidth - innerWidth"), 0)

			run(`SELECT id, nope FROM "Orders"`)
			tab.WaitText(browser.Test("sql.where"), "12")
			shot("2-error")

			write("SELECT pg_sleep(600)")
			tab.Click(browser.Test("sql.run"))
			tab.See(browser.Test("sql.cancel"))
			shot("3-running")
			tab.Click(browser.Test("sql.cancel"))
			tab.See(browser.Test("sql.notice"))
			run(`SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'`)
			tab.WaitText(browser.Test("sql.table")+" tbody", "0")

			tab.Click(browser.Test("sql.history") + " summary")
			tab.See(browser.Test("sql.asked"), "pg_sleep")
			shot("4-history")
			write(`SELECT customer, sum(amount) FROM "Orders" GROUP BY customer`)
			tab.Click(browser.Test("sql.task"))
			tab.See(browser.Test("sql.task.project"))
			for _, v := range tab.Axe(axe) {
				t.Error(v.String())
			}
			shot("5-task")
			tab.Click(browser.Test("sql.task.submit"))
			tab.WaitPath("/workflows/new")
			if look.Width == 0 {
				editor := tab.Editor()
				require.Equal(t, 1, editor.Nodes())
				editor.OpenTask("warehouse")
				shot("6-editor")
			}
			silent(t, tab)
		})
	}
}
