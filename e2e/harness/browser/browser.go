package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"dorado/e2e/harness"
)

// ErrNoBrowser means that this machine has no Chromium.
var ErrNoBrowser = errors.New("no Chromium in PATH (chromium, chromium-browser, google-chrome)")

// Browser is one running Chromium; its tabs share nothing.
type Browser struct {
	ctx     context.Context //nolint:containedctx // chromedp keeps the browser in its context
	cancel  context.CancelFunc
	profile string
}

// Open starts Chromium with an empty profile. It returns ErrNoBrowser when there is none.
func Open(ctx context.Context) (*Browser, error) {
	path, err := find()
	if err != nil {
		return nil, err
	}
	profile, err := os.MkdirTemp("", "dorado-chromium-")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.DisableGPU,
		chromedp.WindowSize(1440, 900),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		// chromedp's own list turns the old headless mode's helpers on; one face of each font suffices.
		chromedp.Flag("font-render-hinting", "none"),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(ctx, options...)
	tab, stopTab := chromedp.NewContext(allocator)
	b := &Browser{ctx: tab, profile: profile, cancel: func() { stopTab(); stopAllocator() }}
	if err := chromedp.Do(tab); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", path, err), b.Close())
	}
	return b, nil
}

// Close ends Chromium and removes its profile.
func (b *Browser) Close() error {
	b.cancel()
	err := os.RemoveAll(b.profile)
	for range 20 { // a helper process may still write
		if err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
		err = os.RemoveAll(b.profile)
	}
	return err
}

func find() (string, error) {
	if path := os.Getenv("DORADO_CHROMIUM"); path != "" {
		return path, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoBrowser
}

// Look is how a visitor's browser is set up.
type Look struct {
	Language string // en or zh; sent as Accept-Language
	Dark     bool   // what the operating system prefers
	Width    int64  // default 1440
	Height   int64  // default 900
	Zone     string // time zone of the computer; empty leaves the one it has
}

// Looks returns every language in every theme.
func Looks() []Look {
	return []Look{{Language: "en"}, {Language: "en", Dark: true}, {Language: "zh"}, {Language: "zh", Dark: true}}
}

// String names the look: en-light.
func (l Look) String() string {
	if l.Dark {
		return l.Language + "-dark"
	}
	return l.Language + "-light"
}

// Tab is one page with cookies of its own. Its methods fail the test when what they wait for does not come.
type Tab struct {
	T    testing.TB
	URL  string // of the server, without a slash at the end
	Look Look

	ctx     context.Context //nolint:containedctx // chromedp keeps the tab in its context
	patient time.Duration

	mu      sync.Mutex
	console []string
}

// Tab opens a page of the server at url. It is closed when the test ends.
func (b *Browser) Tab(tb testing.TB, url string, look Look) *Tab {
	tb.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	tab := &Tab{T: tb, URL: strings.TrimSuffix(url, "/"), Look: look, ctx: ctx, patient: 15 * time.Second}
	tb.Cleanup(func() {
		if tb.Failed() {
			tab.dump()
		}
		cancel()
	})
	language := map[string]string{"zh": "zh-CN,zh;q=0.9", "en": "en-US,en;q=0.9"}[look.Language]
	scheme := "light"
	if look.Dark {
		scheme = "dark"
	}
	width, height := look.Width, look.Height
	if width == 0 {
		width = 1440
	}
	if height == 0 {
		height = 900
	}
	tab.do(chromedp.EmulateViewport(width, height), func(ctx context.Context, s *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, s, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"},
			},
		})
		if err != nil {
			return chromedp.Void{}, err
		}
		if _, err := cdp.Call(ctx, s, network.Enable, network.EnableParams{}); err != nil {
			return chromedp.Void{}, err
		}
		// An extra header, not the user agent's language: it is all the server looks at.
		_, err = cdp.Call(ctx, s, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
			Headers: network.Headers{"Accept-Language": language},
		})
		if err == nil && look.Zone != "" {
			_, err = cdp.Call(ctx, s, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: look.Zone})
		}
		return chromedp.Void{}, err
	})
	messages := chromedp.Console(ctx)
	go func() { // ends with the tab's context
		for m, err := range messages {
			if err != nil {
				return
			}
			tab.mu.Lock()
			tab.console = append(tab.console, m.String())
			tab.mu.Unlock()
		}
	}()
	return tab
}

// Console returns what the page has written to its console, errors and refused requests included.
func (t *Tab) Console() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.console...)
}

// Patience changes how long the tab waits for things; the default is 15 seconds.
func (t *Tab) Patience(d time.Duration) { t.patient = d }

// Artifacts returns the folder for what a run leaves behind: $DORADO_ARTIFACTS, else e2e/artifacts.
func Artifacts() (string, error) {
	dir := os.Getenv("DORADO_ARTIFACTS")
	if dir == "" {
		root, err := harness.Root()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, "e2e", "artifacts")
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// dump leaves behind what a person would look at after a failure.
func (t *Tab) dump() {
	name := "failed-" + strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>| `, r) {
			return '-'
		}
		return r
	}, t.T.Name())
	ctx, cancel := context.WithTimeout(t.ctx, 10*time.Second)
	defer cancel()
	var page []byte
	if png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
		t.keep(name+".png", png)
	}
	if html, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.documentElement.outerHTML")); err == nil {
		page = []byte(html)
		t.keep(name+".html", page)
	}
	if url, err := chromedp.Run(ctx, chromedp.Location()); err == nil {
		t.T.Logf("at %s", url)
	}
	for _, line := range t.Console() {
		t.T.Logf("console: %s", line)
	}
}

func (t *Tab) keep(name string, data []byte) {
	dir, err := Artifacts()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
	}
	if err != nil {
		t.T.Logf("artefact %s: %v", name, err)
		return
	}
	t.T.Logf("see %s", filepath.Join(dir, name))
}
