package browser

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// insertText puts text where the cursor is, in one piece. Typing key by key would let an editor close brackets and
// indent lines by itself, so that the text in it is not the text that was meant.
func insertText(text string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, s *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, s, input.InsertText, input.InsertTextParams{Text: text})
		return chromedp.Void{}, err
	}
}
