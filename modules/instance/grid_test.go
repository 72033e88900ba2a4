package instance_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/flow"
)

func TestTheGridHasARowForEachTaskAndAColumnForEachRun(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		grid := w.at("/workflows/" + strconv.FormatInt(w.flow.Workflow.Code, 10) + "/grid")
		b := w.browser(t, w.General)
		require.Contains(t, b.Get(grid).Body, "Nothing ran yet")

		first, _ := w.run(t, flow.WorkflowSuccess)
		w.attempt(t, first, 1, attempt{state: flow.TaskSuccess})
		second, at := w.run(t, flow.WorkflowFailure)
		w.attempt(t, second, 2, attempt{state: flow.TaskFailure})
		page := b.Get(grid)
		require.Equal(t, http.StatusOK, page.Status)
		cell := at + "?task="
		require.Contains(t, page.Body, cell, "P-GRID-1: a cell leads to the task of its run")
		require.Less(t, strings.Index(page.Body, w.at("/instances/"+strconv.FormatInt(first, 10))), strings.Index(page.Body, at), "the newest run is at the right")

		older := b.Get(grid + "?until=" + strconv.FormatInt(first, 10)).Body
		require.NotContains(t, older, cell, "a run that is not asked for is not loaded")
		require.Contains(t, older, w.at("/instances/"+strconv.FormatInt(first, 10)))
		require.Equal(t, http.StatusOK, b.Get(grid+"?runs=x&from=-7&until=zz").Status)

		sam := w.member(t, "sam", "")
		require.Equal(t, http.StatusForbidden, w.browser(t, sam).Get(grid).Status)
	})
}
