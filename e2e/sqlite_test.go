//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/e2e/harness/browser"
)

// Ana tries a file of SQLite that is not allowed, then one that is, and asks it.
func TestAFileOfSQLiteIsTriedAndAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "shop.db"), nil, 0o600))
	s := standalone(t, "DORADO_DATASOURCE_SQLITE_FOLDERS="+dir)
	for i, look := range []browser.Look{{Language: "en"}, {Language: "zh", Dark: true}, {Language: "en", Width: 360, Height: 800}} {
		t.Run(fmt.Sprintf("%s-%d", look, look.Width), func(t *testing.T) {
			tab := chromium(t).Tab(t, s.URL, look)
			shot := func(name string) { tab.Screenshot(fmt.Sprintf("sqlite-%s-%d-%s", look, look.Width, name)) }
			tab.SignIn("admin", password)
			tab.Goto("/datasources/new?type=SQLITE")
			tab.Fill(browser.Test("datasource.name"), fmt.Sprintf("files-%d", i))
			tab.Fill(`[name="p.file"]`, "/etc/secret.db")
			tab.Click(browser.Test("datasource.test"))
			tab.WaitText(browser.Test("datasource.test.result"), "datasource.sqlite.folders")
			shot("0-refused")
			for _, v := range tab.Axe(axe) {
				t.Error(v.String())
			}
			require.LessOrEqual(t, browser.Eval[int](tab, "document.documentElement.scrollWidth - innerWidth"), 0)
			tab.Fill(`[name="p.file"]`, filepath.Join(dir, "shop.db"))
			tab.Click(browser.Test("datasource.test"))
			tab.WaitText(browser.Test("datasource.test.result"), map[string]string{"en": "Connected", "zh": "连接成功"}[look.Language])
			tab.Submit()
			tab.WaitPath("/datasources")
			tab.See("tbody tr, .card", fmt.Sprintf("files-%d", i))
			shot("1-list")
			tab.Goto(fmt.Sprintf("/datasources/%d/sql", i+1))
			tab.See("code-field .cm-editor")
			run := func(sql string) {
				tab.Fill(browser.Test("sql.text.editor"), sql)
				tab.Click(browser.Test("sql.run"))
				tab.Wait("the end of the statement", `document.querySelector('[data-cancel]').hidden`)
			}
			run("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, name TEXT)")
			run("INSERT INTO orders (name) VALUES ('apple')")
			tab.WaitText(browser.Test("sql.summary"), "1")
			tab.Click(browser.Test("sql.refresh"))
			tab.Click(browser.Test("sql.table"), "orders")
			tab.See(browser.Test("sql.column"), "name")
			run("SELECT * FROM orders")
			tab.WaitText(browser.Test("sql.table")+" thead", "name")
			shot("2-rows")
			run("ATTACH '/etc/secret.db' AS x")
			tab.WaitText("#sql-result", "not authorized")
			shot("3-attach")
		})
	}
}
