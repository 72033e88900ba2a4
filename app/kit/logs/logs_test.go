package logs_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/logs"
)

func TestRecordsCarryTheAttributesOfTheirContext(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log, err := logs.New(&out, logs.Config{Format: format})
		require.NoError(t, err)
		ctx := logs.With(t.Context(), slog.String(logs.RequestID, "r1"))
		inner := logs.With(ctx, slog.Int64(logs.WorkflowInstanceID, 7))
		log.With("master", "m1").InfoContext(inner, "started")
		require.Contains(t, out.String(), "r1")
		require.Contains(t, out.String(), "workflow_instance_id")
		out.Reset()
		log.InfoContext(ctx, "next")
		require.NotContains(t, out.String(), "workflow_instance_id", "an inner context must not leak into the outer one")
	}
}

func TestWhatSoundsLikeASecretIsMasked(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := logs.New(&out, logs.Config{Format: "json"})
	require.NoError(t, err)
	log.Info("x", "password", "hunter2", "AccessToken", []byte("hunter2"), slog.Group("g", "client_secret", "hunter2"), "user", "ann") //nolint:sloglint // keys come in every spelling
	require.NotContains(t, out.String(), "hunter2")
	require.Contains(t, out.String(), "ann")
}

func TestTimesAreUTCAndLevelsHold(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := logs.New(&out, logs.Config{Level: "warn"})
	require.NoError(t, err)
	log.Info("quiet")
	log.Warn("loud", "at", time.Date(2026, 1, 1, 8, 0, 0, 0, time.FixedZone("", 8*3600)), "took", 1500*time.Microsecond)
	require.NotContains(t, out.String(), "quiet")
	require.Contains(t, out.String(), "at=2026-01-01T00:00:00.000Z")
	require.Contains(t, out.String(), "took=1.5ms")
	require.True(t, strings.HasSuffix(strings.Fields(out.String())[0], "Z"))
}

func TestUnknownSettingsAreRefused(t *testing.T) {
	t.Parallel()
	_, err := logs.New(&bytes.Buffer{}, logs.Config{Level: "loud"})
	require.ErrorContains(t, err, "loud")
	_, err = logs.New(&bytes.Buffer{}, logs.Config{Format: "xml"})
	require.ErrorContains(t, err, "xml")
}
