// Package browser drives Chromium the way a person does: real mouse and key events at the place where an element is
// seen, and waiting for what the page shows. A Tab has cookies of its own. When a test fails, the tab leaves a
// screenshot, the address and the console's messages among the artefacts (see Artifacts).
package browser
