package alert_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"dorado/plugins/alert"
	"dorado/plugins/form"
)

func TestContentIsATableInTheOrderInWhichItWasWritten(t *testing.T) {
	t.Parallel()
	table := alert.Message{Content: `[{"b":1,"a":"x"},{"c":null,"b":[1,2],"a":"中文"}]`}.Table()
	require.Equal(t, []string{"b", "a", "c"}, table.Columns)
	require.Equal(t, alert.Value{Text: "1", Number: true}, table.Rows[0].Values["b"])
	require.Equal(t, "b:1\na:x\nc:\nb:[1,2]\na:中文", table.Lines())
	require.Equal(t, "`t`\na:1", alert.Message{Title: "t", Content: `[{"a":1}]`}.KeyValueText())
}

func TestContentThatIsNoListIsShownAsItIs(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"plain words", `{"a":1}`, `[1]`, `[{"a":1`} {
		table := alert.Message{Content: content}.Table()
		require.Equal(t, []string{"content"}, table.Columns, content)
		require.Equal(t, content, table.Rows[0].Values["content"].Text)
	}
	require.Empty(t, alert.Message{Content: " "}.Table().Rows)
	require.Empty(t, alert.Message{Content: "[]"}.Table().Rows)
}

func TestWhatComesBackHoldsNoSecret(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	p := alert.Plugin{
		ID: 1, Name: "X", Label: "x", Help: "x", Schema: form.Schema{{Name: "key", Type: form.Secret, Label: "k", Required: true}},
		Send: func(_ context.Context, v form.Values, _ alert.Message) (string, error) {
			return "said " + v.Text("key"), errors.Join(boom, errors.New("with "+v.Text("key")))
		},
	}
	answer, err := p.Deliver(t.Context(), form.Flat{"key": "hunter2"}, alert.Message{})
	require.ErrorIs(t, err, boom)
	require.NotContains(t, answer+err.Error(), "hunter2")
	_, err = p.Deliver(t.Context(), form.Flat{}, alert.Message{})
	require.ErrorIs(t, err, alert.ErrSettings)
}
